"""Three clients of one embedded Lambda that ask the same: raw HTTP, boto3, and our own cmdlet."""

from __future__ import annotations

import base64
import socket
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml
from botocore.exceptions import ClientError, ParamValidationError

import lmfunction as lm
from lmfunction._retry import RetryPolicy
from lmfunction.errors import LMWarning, ParameterError, ServiceError
from lmfunction.local._child import Embedded

CLIENTS = ("raw", "boto3", "lm")
FUNCTIONS = yaml.safe_load((Path(__file__).parent / "local" / "cases" / "functions.yaml").read_text("utf-8"))


@dataclass
class Ask:
    """One invocation, as a caller would spell it. None is not given."""

    function: str
    event: bytes | None = None
    type: str | None = None
    log_type: str | None = None
    qualifier: str | None = None
    context: str | None = None
    context_base64: str | None = None
    tenant: str | None = None
    durable: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def encoded_context(self) -> str | None:
        text = self.context
        return self.context_base64 if text is None else base64.b64encode(text.encode()).decode()


@dataclass
class Seen:
    """One answer, whoever asked. `refused` is what a client says that has sent nothing."""

    status: int = 0
    error: str | None = None
    version: str | None = None
    payload: bytes = b""
    log: str | None = None
    request_id: str | None = None
    code: str | None = None
    message: str = ""
    refused: str | None = None
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    warned: list[str] = field(default_factory=list)


class World:
    """A server with one Python loop, three clients of it, and the functions that were deployed so far."""

    def __init__(self, server: Embedded, wire: Any, deploy: Any, read_reply: Any, to_bytes: Any) -> None:
        self.server = server
        self._wire = wire
        self._deploy = deploy
        self._read_reply = read_reply
        self._to_bytes = to_bytes
        self._named: dict[str, str] = {}
        self._session = lm.Session(
            region=server.region,
            endpoint_url=server.url,
            credential=lm.Credential(server.access_key, server.secret_key),
            retry_policy=RetryPolicy(max_attempts=2, sleep=lambda seconds: None),
        )

    def close(self) -> None:
        self._session.close()

    @property
    def client(self) -> Any:
        """boto3's client."""
        return self._deploy.client

    def deployed(self, case: dict[str, Any]) -> str:
        """The name of the function that a case is about."""
        if "code" in case:
            return self._deploy_case(case)
        name: str = case.get("function", "echo")
        if name not in FUNCTIONS:
            return name
        if name not in self._named:
            self._named[name] = self._deploy_case(FUNCTIONS[name])
        return self._named[name]

    def _deploy_case(self, case: dict[str, Any]) -> str:
        more = {
            "Handler": case.get("handler", "app.handler"),
            "Timeout": case.get("timeout", 20),
            "Runtime": case.get("runtime", "python3.12"),
            "MemorySize": case.get("memory", 128),
            "files": case.get("files", {}),
        }
        if "logging" in case:
            more["LoggingConfig"] = case["logging"]
        if "tenancy" in case:
            more["TenancyConfig"] = {"TenantIsolationMode": case["tenancy"]}
        client = self.client
        name: str = self._deploy(case.get("publish", case["code"]), **more)
        if "publish" in case:
            version = client.publish_version(FunctionName=name)["Version"]
            client.create_alias(FunctionName=name, Name="live", FunctionVersion=version)
            client.update_function_code(FunctionName=name, ZipFile=self._deploy.zipped({"app.py": case["code"]}))
        if "reserved" in case:
            client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=case["reserved"])
        return name

    def folder(self, name: str) -> str:
        """Where the code of a function is."""
        location: str = self.client.get_function(FunctionName=name)["Code"]["Location"]
        return location.removeprefix("file://")

    def ask(self, client: str, ask: Ask) -> Seen:
        """Invokes by one of the clients."""
        asks: dict[str, Callable[[Ask], Seen]] = {"raw": self._ask_raw, "boto3": self._ask_boto3, "lm": self._ask_lm}
        return asks[client](ask)

    def ask_told(self, client: str, ask: Ask) -> Seen:
        """The same, with what the client warned of."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", LMWarning)
            seen = self.ask(client, ask)
        return replace(seen, warned=[str(w.message) for w in caught])

    def _ask_raw(self, ask: Ask) -> Seen:
        given = {
            "X-Amz-Invocation-Type": ask.type,
            "X-Amz-Log-Type": ask.log_type,
            "X-Amz-Client-Context": ask.encoded_context,
            "X-Amz-Tenant-Id": ask.tenant,
            "X-Amz-Durable-Execution-Name": ask.durable,
        }
        headers = {name: value for name, value in given.items() if value is not None} | ask.headers
        path = f"/2015-03-31/functions/{quote(ask.function, safe='')}/invocations"
        if ask.qualifier is not None:
            path += f"?Qualifier={quote(ask.qualifier, safe='')}"
        body = ask.event or b""
        data = self._to_bytes("POST", path, self._wire.signed(path, body, headers=headers), body)
        with socket.create_connection(("127.0.0.1", self._wire.port), timeout=20) as connection:
            connection.sendall(data)
            reply = self._read_reply(connection)
        log = reply.lower.get("x-amz-log-result")
        failed = reply.status >= 400
        shown = reply.json() if failed else {}
        return Seen(
            status=reply.status,
            error=reply.lower.get("x-amz-function-error"),
            version=reply.lower.get("x-amz-executed-version"),
            payload=reply.body,
            log=None if log is None else base64.b64decode(log).decode("utf-8", "replace"),
            request_id=reply.lower.get("x-amzn-requestid"),
            code=reply.lower.get("x-amzn-errortype"),
            message=shown.get("message", shown.get("Message", "")),
            body=shown if failed else None,
            headers=reply.headers,
        )

    def _ask_boto3(self, ask: Ask) -> Seen:
        given = {
            "FunctionName": ask.function,
            "Payload": ask.event,
            "InvocationType": ask.type,
            "LogType": ask.log_type,
            "Qualifier": ask.qualifier,
            "ClientContext": ask.encoded_context,
            "TenantId": ask.tenant,
            "DurableExecutionName": ask.durable,
        }
        try:
            answer = self.client.invoke(**{name: value for name, value in given.items() if value is not None})
        except ParamValidationError as e:
            return Seen(refused=str(e))
        except ClientError as e:
            error, metadata = e.response["Error"], e.response["ResponseMetadata"]
            status, request_id = metadata["HTTPStatusCode"], metadata["RequestId"]
            return Seen(status=status, code=error["Code"], message=error["Message"], request_id=request_id)
        log = answer.get("LogResult")
        return Seen(
            status=answer["StatusCode"],
            error=answer.get("FunctionError"),
            version=answer.get("ExecutedVersion"),
            payload=answer["Payload"].read(),
            log=None if log is None else base64.b64decode(log).decode("utf-8", "replace"),
            request_id=answer["ResponseMetadata"]["RequestId"],
        )

    def _ask_lm(self, ask: Ask) -> Seen:
        given = {
            "payload": ask.event,
            "invocation_type": ask.type,
            "log_type": ask.log_type,
            "qualifier": ask.qualifier,
            "client_context": ask.context,
            "client_context_base64": ask.context_base64,
            "tenant_id": ask.tenant,
            "durable_execution_name": ask.durable,
        }
        given = {name: value for name, value in given.items() if value is not None}
        try:
            result = self._session.invoke_lm(ask.function, **given)
        except ParameterError as e:
            return Seen(refused=str(e))
        except ServiceError as e:
            return Seen(status=e.status, code=e.code, message=str(e), request_id=e.request_id)
        return Seen(
            status=result.status_code,
            error=result.function_error,
            version=result.executed_version,
            payload=result.raw_payload or b"",
            log=result.log,
            request_id=result.request_id,
        )
