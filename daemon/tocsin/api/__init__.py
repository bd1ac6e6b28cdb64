"""The API of a running daemon, the same over MQTT, HTTP and the command line: verbs, requests and replies.

Free of clocks, files and sockets.
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
