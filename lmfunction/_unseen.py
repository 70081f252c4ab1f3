"""Asks a person for a secret, and shows nothing of what is typed."""

from __future__ import annotations

import getpass
import warnings


def ask_unseen(question: str) -> str | None:
    """What somebody types; empty at the end of input. None where the terminal would show it, so that nobody is asked.

    In a kernel `getpass` is the front end's, which raises where nobody is there.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error", getpass.GetPassWarning)
        try:
            return getpass.getpass(question)
        except EOFError:
            return ""
        except getpass.GetPassWarning:
            return None
