"""What may be asked of a running daemon, through whatever door: verbs, the bodies of requests, and of answers.

Pure. MQTT, HTTP and the command line speak with the same words because they read them here.
"""

from tocsin.api.reply import Reply, refusal
from tocsin.api.verbs import VERBS, Asked, RequestError, Subject, Verb, read, read_text, transaction_of

__all__ = [
    "VERBS",
    "Asked",
    "Reply",
    "RequestError",
    "Subject",
    "Verb",
    "read",
    "read_text",
    "refusal",
    "transaction_of",
]
