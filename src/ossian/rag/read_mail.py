"""E-mail: one message (.eml) or a box of them (.mbox), each under its subject; attachments are named."""

import re
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser

from ossian.rag.read_html import read_markup
from ossian.rag.read_text import read_text

HEADERS = ("From", "To", "Cc", "Date")
ENVELOPE = re.compile(rb"^From \S.*\r?\n(?=[A-Za-z-]+:)", re.MULTILINE)  # between the messages of a box


def read_mail(data: bytes) -> str:
    if not data.startswith(b"From "):
        return read_message(data)
    starts = [match.end() for match in ENVELOPE.finditer(data)]
    ends = [match.start() for match in ENVELOPE.finditer(data)][1:]
    return "\n\n".join(read_message(data[start:end]) for start, end in zip(starts, (*ends, len(data)), strict=True))


def read_message(data: bytes) -> str:
    message = BytesParser(policy=policy.default).parsebytes(data)
    names = [part.get_filename() or "without a name" for part in attachments_of(message)]
    lines = [f"# {message.get('Subject') or 'Without a subject'}"]
    lines += [f"{name}: {message[name]}" for name in HEADERS if message[name]]
    lines += [f"Attachments: {', '.join(names)}"] if names else []
    return "\n".join([*lines, "", read_body(message)])


def attachments_of(message: EmailMessage) -> list[EmailMessage]:
    return [part for part in message.walk() if part.get_content_disposition() == "attachment"]


def read_body(message: EmailMessage) -> str:
    """What the sender wrote: as plain text if there is one, else the text of the HTML."""
    part = message.get_body(("plain", "html"))
    if part is None:
        return ""
    raw = part.get_payload(decode=True)
    text = read_text(raw if isinstance(raw, bytes) else b"", part.get_content_charset() or "")
    return read_markup(text) if part.get_content_subtype() == "html" else text
