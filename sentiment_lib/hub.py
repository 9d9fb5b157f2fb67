"""Ask the hub, quickly, whether it is there, so that nobody waits minutes for a retry to give up."""

from __future__ import annotations

PROBE_SECONDS = 5.0


class HubUnreachable(ConnectionError):
    """The hub does not answer and what was wanted is not in its local cache."""


def hub_error() -> str | None:
    """Why the hub cannot be used now, as the end of a sentence; None when it answers.

    One request with a time limit of 5 s. The endpoint is huggingface_hub's own (variable ``HF_ENDPOINT``),
    and its offline mode (``HF_HUB_OFFLINE``) is respected without asking anything.
    """
    from huggingface_hub import constants
    from huggingface_hub.utils import get_session

    if constants.HF_HUB_OFFLINE:
        return "the hub is switched off by HF_HUB_OFFLINE."
    try:
        get_session().head(constants.ENDPOINT, timeout=PROBE_SECONDS)
    except Exception as error:
        return f"the hub at {constants.ENDPOINT} cannot be reached ({type(error).__name__}: {error})."
    return None
