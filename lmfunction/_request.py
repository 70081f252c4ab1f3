"""One Invoke call, checked and ready to send; and the same call written for other tools."""

from __future__ import annotations

import base64
import shlex
from dataclasses import dataclass, field
from typing import Any

from lmfunction._references import Slot


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes: the names a person used and what they resolved to."""

    region: str = ""
    endpoint_url: str | None = None  # None: AWS's own for the region
    profile_name: str | None = None
    aws_profile: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class InvokeRequest:
    """One Invoke call, checked and ready. `client_context` is base64, `payload` the bytes of the body.

    Where a secret is looked up only when the call is sent, its reference stands in them; the slots say where.
    """

    function_name: str
    payload: bytes = b"{}"
    invocation_type: str = "RequestResponse"
    log_type: str = "None"
    client_context: str | None = None
    qualifier: str | None = None
    tenant_id: str | None = None
    durable_execution_name: str | None = None
    target: Target = field(default_factory=Target)
    payload_slots: tuple[Slot, ...] = ()
    context_slots: tuple[Slot, ...] = ()  # in the decoded client context

    @property
    def label(self) -> str:
        """`name:qualifier` for people; a whole ARN is shortened to its name."""
        name = self.function_name.rpartition("function:")[2]
        return f"{name}:{self.qualifier}" if self.qualifier and ":" not in name else name

    def __repr__(self) -> str:
        region = f" {self.target.region}" if self.target.region else ""
        return f"<InvokeRequest {self.label} {self.invocation_type}{region} {len(self.payload):,} bytes>"

    def members(self) -> dict[str, Any]:
        """The call as the API names it, for `boto3.client("lambda").invoke(**members)`; defaults are left out."""
        given = {
            "FunctionName": self.function_name,
            "InvocationType": None if self.invocation_type == "RequestResponse" else self.invocation_type,
            "LogType": None if self.log_type == "None" else self.log_type,
            "ClientContext": self.client_context,
            "Qualifier": self.qualifier,
            "TenantId": self.tenant_id,
            "DurableExecutionName": self.durable_execution_name,
            "Payload": self.payload,
        }
        return {name: value for name, value in given.items() if value is not None}

    def to_boto3(self) -> str:
        """Python source that makes the same call, at most once, with boto3. It holds no credentials."""
        session = f"profile_name={self.target.aws_profile!r}" if self.target.aws_profile else ""
        where = f", region_name={self.target.region!r}" if self.target.region else ""
        if self.target.endpoint_url:
            where += f", endpoint_url={self.target.endpoint_url!r}"
        arguments = "".join(f"    {name}={value!r},\n" for name, value in self.members().items())
        return (
            f"{self._secrets_left_out()}"
            "import boto3\n"
            "from botocore.config import Config\n\n"
            'once = Config(retries={"total_max_attempts": 1}, read_timeout=930)\n'
            f'client = boto3.Session({session}).client("lambda"{where}, config=once)\n'
            f"response = client.invoke(\n{arguments})\n"
            'print(response["StatusCode"], response.get("FunctionError"), response["Payload"].read())\n'
        )

    def to_aws_cli(self, outfile: str = "response.json") -> str:
        """A shell line that makes the same call, at most once, with the AWS CLI (1 or 2). It holds no credentials.

        The payload is piped in: the two versions of the CLI read `--payload TEXT` differently, `fileb://` alike.
        """
        options = {
            "--function-name": self.function_name,
            "--invocation-type": None if self.invocation_type == "RequestResponse" else self.invocation_type,
            "--log-type": None if self.log_type == "None" else self.log_type,
            "--client-context": self.client_context,
            "--qualifier": self.qualifier,
            "--tenant-id": self.tenant_id,
            "--durable-execution-name": self.durable_execution_name,
            "--payload": "fileb:///dev/stdin",
            "--cli-read-timeout": "930",
            "--region": self.target.region or None,
            "--endpoint-url": self.target.endpoint_url,
            "--profile": self.target.aws_profile,
        }
        words = [
            # A value that begins with a dash (a function's name may) would be read as an option.
            f"{name}{'=' if value.startswith('-') else ' '}{shlex.quote(value)}"
            for name, value in options.items()
            if value is not None
        ]
        call = f"AWS_MAX_ATTEMPTS=1 aws lambda invoke {' '.join(words)} {shlex.quote(outfile)}"
        return f"{self._secrets_left_out()}{_shell_printing(self.payload)} | {call}"

    def _secrets_left_out(self) -> str:
        """A comment on what has to be filled in by hand; empty where no secret is looked up."""
        labels = dict.fromkeys(slot.secret.label for slot in (*self.payload_slots, *self.context_slots))
        return f"# Put in yourself: {', '.join(labels)}\n" if labels else ""


def _shell_printing(payload: bytes) -> str:
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        text = "\x00"
    if "\x00" in text:
        return f"printf %s {base64.b64encode(payload).decode()} | base64 -d"
    return f"printf %s {shlex.quote(text)}"
