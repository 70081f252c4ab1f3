"""The rows of the session's cmdlets, as AWS.Tools.Common has them: credentials, region, history."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lmfunction._common_rows import COMMON, FORCE
from lmfunction._params import Cmdlet, Example, Kind, Parameter

_STORE: Final = "the AWS CLI's files"
_ACCESS_KEY: Final = Parameter(
    "AccessKey", Kind.SECRET, "An access key id, as $variable; you are asked for it where it is missing.", ("AK",)
)
_SECRET_KEY: Final = Parameter(
    "SecretKey",
    Kind.SECRET,
    "Its secret, as $variable only; you are asked for it, unseen, where it is missing.",
    ("SK", "SecretAccessKey"),
)
_SESSION_TOKEN: Final = Parameter(
    "SessionToken", Kind.SECRET, "The token of temporary keys, as $variable only.", ("ST",)
)
_ROLE: Final = (
    Parameter("RoleArn", Kind.TEXT, "The ARN of a role to assume with the credentials of -SourceProfile."),
    Parameter("SourceProfile", Kind.TEXT, "The AWS profile whose credentials assume -RoleArn."),
    Parameter("ExternalId", Kind.TEXT, "The external id that the role's owner asks for."),
    Parameter("MfaSerial", Kind.TEXT, "The MFA device whose code you are asked for when the role is assumed."),
)
_LOCATION: Final = Parameter(
    "ProfileLocation",
    Kind.TEXT,
    "A file of AWS profiles in place of ~/.aws/credentials.",
    ("AWSProfilesLocation", "ProfilesLocation"),
)
_CREDENTIAL: Final = Parameter("Credential", Kind.OBJECT, "An lm.Credential or a boto3 session, as $variable.")
_SAML: Final = Parameter(
    "NetworkCredential",
    Kind.OBJECT,
    "SAML sign-on through a PSCredential.",
    refused="SAML through a PSCredential does not exist here: use `aws sso login` and -ProfileName.",
)


def _profile_name(text: str) -> Parameter:
    return Parameter("ProfileName", Kind.TEXT, text, ("StoredCredentials", "AWSProfileName"), 1, by_value=True)


_SOURCES: Final = (
    _ACCESS_KEY,
    _SECRET_KEY,
    _SESSION_TOKEN,
    _profile_name("A profile: a YAML file NAME.yaml of lmfunction, else a profile of ~/.aws."),
    _LOCATION,
    *_ROLE,
    _CREDENTIAL,
    _SAML,
)
_REGION: Final = Parameter("Region", Kind.TEXT, "The AWS region.", ("RegionToCall",), 1, by_value=True)
_SKIPS: Final = (
    Parameter("SkipShell", Kind.SWITCH, "Leave the session's own defaults."),
    Parameter("SkipProfileStore", Kind.SWITCH, f"Leave {_STORE}."),
)


def _cmdlet(
    name: str, python_names: tuple[str, ...], synopsis: str, rows: tuple[Parameter, ...], *examples: tuple[str, str]
) -> Cmdlet:
    lines = tuple(Example(line, text) for line, text in examples)
    return Cmdlet(name, python_names, synopsis, (*rows, *COMMON), examples=lines)


def session_cmdlet(name: str, python_names: tuple[str, ...]) -> Cmdlet:
    """The cmdlet `name` with its rows."""
    synopsis, rows, examples = _CMDLETS[name]
    return _cmdlet(name, python_names, synopsis, rows, *examples)


_Rows = tuple[str, tuple[Parameter, ...], tuple[tuple[str, str], ...]]
_CMDLETS: Final[Mapping[str, _Rows]] = {
    "Set-AWSCredential": (
        "Sets whose the calls are that name no profile and no credentials, or stores credentials as a profile.",
        (
            *_SOURCES,
            Parameter("StoreAs", Kind.TEXT, f"Store them as this profile in {_STORE}; the session stays as it is."),
            Parameter(
                "Scope",
                Kind.CHOICE,
                "PowerShell's scope. There is one session here, which Global and Script mean.",
                choices=("Global", "Local", "Script", "Private"),
            ),
        ),
        (
            ("Set-AWSCredential staging", "Every call that follows goes through the profile staging."),
            ("Set-AWSCredential -AccessKey $id -StoreAs ops", "Store keys; the secret is asked for, unseen."),
            (
                "Set-AWSCredential -RoleArn arn:aws:iam::123456789012:role/deploy -SourceProfile ops -StoreAs deploy",
                "Store a role that boto3 assumes when it is used.",
            ),
        ),
    ),
    "Get-AWSCredential": (
        "Gives the credentials of the session or of a profile, or lists the profiles.",
        (
            _profile_name("The profile whose credentials are wanted."),
            _LOCATION,
            Parameter("ListProfileDetail", Kind.SWITCH, "List every profile with the file that it stands in."),
            Parameter(
                "ListProfile",
                Kind.SWITCH,
                "List the profiles' names.",
                refused="AWS gave it up; use -ListProfileDetail.",
            ),
        ),
        (
            ("Get-AWSCredential -ListProfileDetail", "Which profiles there are, and where."),
            ("Get-AWSCredential ops -OutVariable ops", "Credentials for -Credential $ops; the secret is not shown."),
        ),
    ),
    "New-AWSCredential": (
        "Gives credentials as an object for -Credential, and sets nothing.",
        _SOURCES,
        (
            ("New-AWSCredential -AccessKey $id -OutVariable keys", "The secret is asked for, unseen."),
            (
                "New-AWSCredential -RoleArn $arn -SourceProfile ops",
                "Credentials of a role, assumed when they are used.",
            ),
        ),
    ),
    "Clear-AWSCredential": (
        "Forgets what Set-AWSCredential set for the session. Stored profiles stay.",
        (),
        (("Clear-AWSCredential", "Back to boto3's own chain."),),
    ),
    "Remove-AWSCredentialProfile": (
        f"Removes a profile from {_STORE}, after asking.",
        (
            Parameter("ProfileName", Kind.TEXT, "The profile to remove.", position=1, mandatory=True, by_value=True),
            _LOCATION,
            FORCE,
        ),
        (("Remove-AWSCredentialProfile old", "Asks for the name; every other profile keeps every byte."),),
    ),
    "Set-DefaultAWSRegion": (
        "Sets the region of the calls that name none.",
        (
            Parameter(
                "Region",
                Kind.TEXT,
                "The AWS region.",
                ("RegionToCall", "SystemName"),
                1,
                by_value=True,
                mandatory=True,
            ),
            Parameter(
                "Scope",
                Kind.CHOICE,
                "PowerShell's scope. There is one session here, which Global and Script mean.",
                choices=("Global", "Local", "Script", "Private"),
            ),
        ),
        (("Set-DefaultAWSRegion eu-west-1", "Every call that names no region goes there."),),
    ),
    "Get-DefaultAWSRegion": (
        "Gives the region of calls that name none: the session's, else the one that boto3 finds.",
        (),
        (("Get-DefaultAWSRegion", "IsShellDefault tells whether Set-DefaultAWSRegion set it."),),
    ),
    "Clear-DefaultAWSRegion": (
        "Forgets what Set-DefaultAWSRegion set.",
        (),
        (("Clear-DefaultAWSRegion", "Back to the profile's, then boto3's."),),
    ),
    "Get-AWSRegion": (
        "Lists the AWS regions that this boto3 knows, with their names.",
        (
            Parameter("SystemName", Kind.TEXT, "One region, of any partition.", position=1, by_value=True),
            Parameter("IncludeChina", Kind.SWITCH, "With the regions of China."),
            Parameter("IncludeGovCloud", Kind.SWITCH, "With the GovCloud regions."),
            Parameter("GovCloudOnly", Kind.SWITCH, "The GovCloud regions alone."),
        ),
        (("Get-AWSRegion | where Region -like eu-*", "The regions of Europe."),),
    ),
    "Initialize-AWSDefaultConfiguration": (
        "Stores credentials and a region as the profile default, and makes them the session's.",
        (*_SOURCES, Parameter("Region", Kind.TEXT, "The AWS region; you are asked where none is known.")),
        (
            (
                "Initialize-AWSDefaultConfiguration -ProfileName ops -Region eu-west-1",
                "Make ops the default of every tool.",
            ),
        ),
    ),
    "Clear-AWSDefaultConfiguration": (
        f"Removes the profile default from {_STORE}, after asking, and forgets the session's defaults.",
        (_LOCATION, *_SKIPS, FORCE),
        (("Clear-AWSDefaultConfiguration -SkipProfileStore", "Forget the session's defaults; the files stay."),),
    ),
    "Get-AWSHistory": (
        "Gives the last calls of the session: when, what, where, and how each ended. No payloads, no answers.",
        (
            Parameter("First", Kind.WHOLE, "Only so many, the oldest.", minimum=1, excludes=("Last",)),
            Parameter("Last", Kind.WHOLE, "Only so many, the newest.", minimum=1, excludes=("First",)),
        ),
        (
            ("Get-AWSHistory -Last 5", "The last five calls."),
            ("Get-AWSHistory | where Outcome -ne OK | select Function,RequestId,ErrorType", "What went wrong."),
        ),
    ),
    "Clear-AWSHistory": (
        "Forgets the calls of the session.",
        (),
        (("Clear-AWSHistory", "The list is empty."),),
    ),
    "Set-AWSHistoryConfiguration": (
        "Sets how many calls the session remembers.",
        (
            Parameter(
                "MaxCmdletHistory",
                Kind.WHOLE,
                "So many, the newest; 0 remembers none.",
                position=1,
                minimum=0,
                maximum=100_000,
                default="100",
            ),
            Parameter(
                "MaxServiceCallHistory",
                Kind.WHOLE,
                "PowerShell's calls within a command.",
                refused="One command is one call here; use -MaxCmdletHistory.",
            ),
            Parameter(
                "RecordServiceRequests",
                Kind.SWITCH,
                "PowerShell's recorded requests.",
                refused="The history holds no payloads; `result.request` has the request.",
            ),
            Parameter(
                "IncludeSensitiveData",
                Kind.SWITCH,
                "PowerShell's recorded secrets.",
                refused="The history never holds any.",
            ),
        ),
        (("Set-AWSHistoryConfiguration -MaxCmdletHistory 500", "Remember more."),),
    ),
}
