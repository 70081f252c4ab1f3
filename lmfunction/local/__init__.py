r"""The embedded Lambda: a loopback endpoint that runs functions in real processes and answers as AWS does.

Imports inside this folder point down only::

    _command   __main__   _child        the three ways in: terminal, child process, the parent's side of the child
         \        |
          _server                       one event loop: listener, functions, fleet
              |
          _front                        HTTP request -> operation
           /     \      \
     _routes   _control  _logs          which operation a path means; who carries it out; reading logs
        |          |      _records      ... and reading what was sent to destinations; `_keeping` stores functions
        |          |
        |      _control_*               the operations by subject: functions, versions, layers, aliases, tags ...
        |          |
        |     _code_members             code in a request: uploaded, or run from where it lies
        |          |
        |       _calls                  what a request asks of the control plane, and the account it works on
        |        /   \
     _invoke    /   _code               Invoke; code that was uploaded
        |      /      |
     _events  /    _archive             queue of asynchronous invocations (`_delivery`: to whom); safe unpacking
        |
     _store -- _state -- _sinks         keeps events and functions in a thread of its own; the state folder; records
        |
     _fleet ---- _source                which environment runs what, and how many at once; has its source changed
        |
     _environment --- _log_lines        one execution environment: init, invoke, timeout, restart; what it logs
      /        \
  _process   _runtime_api               the operating system's process; the Runtime API it polls
        |         |
     _listener    _streaming            how many connections, which are late; responses that stream
        |
     _connection -- _chunked_body       an HTTP connection: parsing, order, deadlines; an answer that streams
        |
  _runtimes                              what is started for which runtime
        |
  _invocation  _functions  _variables  _settings  _auth  _addresses  _alarm                   values and rules
        |
  _aliases  _event  _event_config  _logging_config  _answers  _http  _log_store  _log_frames  _memory_watch
  _frames  _trace  _jackson  _installed

Functions from what people have: `_folder`, and `_template` (with `_template_values`, `_template_resources` and
`_template_nodes`), read what is there into `_definition`s, which are requests to the operations above; `_own_requests`
carries them out at the server's start.

`_loop` is the Python runtime that runs inside an environment, and `_json_log` a part of it; they import nothing of
this package. `_node_loop.mjs` is that of Node.js.
"""
