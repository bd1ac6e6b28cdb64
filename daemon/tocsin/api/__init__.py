"""What may be asked of a running daemon, through whatever door: verbs, the bodies of requests, and of answers.

Pure. MQTT, HTTP and the command line speak with the same words because they read them here.
"""

from tocsin.api.reply import Reply, error_reply
from tocsin.api.verbs import VERBS, ApiRequest, RequestError, Subject, Verb, read, read_text, transaction_of

__all__ = [
    "VERBS",
    "ApiRequest",
    "Reply",
    "RequestError",
    "Subject",
    "Verb",
    "error_reply",
    "read",
    "read_text",
    "transaction_of",
]
