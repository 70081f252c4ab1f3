"""lmfunction: a PowerShell-style cmdlet layer for AWS Lambda inside Python."""

__version__ = "0.1.0"
