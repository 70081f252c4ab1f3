"""A `bootstrap` that streams: each event is a list of steps that it carries out on the Runtime API's connection.

A number sleeps, a text is written as a chunk, `{"repeat": n, "text": t}` writes it n times, `{"trailer": [type, body]}`
ends the response with an error, "end" ends it, "cut" closes the connection, "exit" ends the process, "echo" answers
without streaming.
"""

import base64
import json
import os
import socket
import time

HOST, PORT = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
BASE = "/2018-06-01/runtime/invocation/"


def connect():
    connection = socket.create_connection((HOST, int(PORT)))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection, connection.makefile("rb")


def answer(file):
    file.readline()
    headers = {}
    while line := file.readline().strip():
        name, _, value = line.partition(b":")
        headers[name.lower()] = value.strip().decode()
    return headers, file.read(int(headers[b"content-length"]))


def chunk(data):
    return b"%x\r\n%b\r\n" % (len(data), data)


def run(connection, request_id, steps):
    if steps == "echo":
        body = b'{"plain": true}'
        head = (
            f"POST {BASE}{request_id}/response HTTP/1.1\r\nHost: {HOST}:{PORT}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        connection.sendall(head.encode() + body)
        return True
    connection.sendall(
        f"POST {BASE}{request_id}/response HTTP/1.1\r\nHost: {HOST}:{PORT}\r\nTransfer-Encoding: chunked\r\n"
        "Lambda-Runtime-Function-Response-Mode: streaming\r\nContent-Type: text/x-test\r\n"
        "Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\r\n\r\n".encode()
    )
    for step in steps:
        if isinstance(step, (int, float)):
            time.sleep(step)
        elif isinstance(step, dict) and "repeat" in step:
            data = chunk(step["text"].encode() * step.get("times", 1))
            for _ in range(step["repeat"]):
                connection.sendall(data)
        elif isinstance(step, dict) and "bytes" in step:
            connection.sendall(chunk(bytes(step["bytes"])))
        elif isinstance(step, dict):
            kind, body = step["trailer"]
            connection.sendall(
                b"0\r\nLambda-Runtime-Function-Error-Type: %b\r\nLambda-Runtime-Function-Error-Body: %b\r\n\r\n"
                % (
                    kind.encode(),
                    base64.b64encode(json.dumps(body).encode()) if isinstance(body, dict) else body.encode(),
                )
            )
            return True
        elif step == "end":
            connection.sendall(b"0\r\n\r\n")
            return True
        elif step == "cut":
            connection.close()
            return False
        elif step == "exit":
            os._exit(3)
        else:
            connection.sendall(chunk(step.encode()))
    return True


connection, file = connect()
while True:
    connection.sendall(f"GET {BASE}next HTTP/1.1\r\nHost: {HOST}:{PORT}\r\n\r\n".encode())
    headers, event = answer(file)
    print("pid", os.getpid(), flush=True)
    if run(connection, headers[b"lambda-runtime-aws-request-id"], json.loads(event)):
        answer(file)
    else:
        file.close()
        connection, file = connect()
