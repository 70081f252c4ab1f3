r"""The embedded Lambda: a loopback endpoint that runs functions in real processes and answers as AWS does.

Imports inside this folder point down only::

    _command   __main__   _child        the three ways in: terminal, child process, the parent's side of the child
         \        |
          _server                       one event loop: listener, functions, fleet
              |
          _front                        HTTP request -> operation
           /     \      \
     _invoke   _control  _logs          Invoke; the operations that create, change and list functions; reading logs
        |          |
     _events   _archive  _live_code     queue of asynchronous invocations; safe unpacking of code; code run in place
        |
     _fleet ---- _source                which environment runs what, and how many at once; has its source changed
        |
     _environment --- _log_lines        one execution environment: init, invoke, timeout, restart; what it logs
      /        \
  _process   _runtime_api               the operating system's process; the Runtime API it polls
        |
     _connection                        HTTP connections: parsing, order, deadlines
        |
  _runtimes                              what is started for which runtime
        |
  _invocation  _functions  _variables  _settings  _auth  _addresses                           values and rules
        |
  _aliases  _event_config  _logging_config  _answers  _http  _log_store  _log_frames  _memory_watch

`_loop` is the Python runtime that runs inside an environment, and `_json_log` a part of it; they import nothing of
this package. `_node_loop.mjs` is that of Node.js.
"""
