"""Real files of each format, made by the tests themselves as small as they can be."""

import json
import zipfile
import zlib
from collections.abc import Mapping
from email.message import EmailMessage
from io import BytesIO
from pathlib import Path

from fpdf import FPDF
from fpdf.enums import AccessPermission

OFFICE = "http://schemas.openxmlformats.org"
WORD = f'xmlns:w="{OFFICE}/wordprocessingml/2006/main"'
SLIDES = (
    f'xmlns:a="{OFFICE}/drawingml/2006/main" xmlns:p="{OFFICE}/presentationml/2006/main"'
    f' xmlns:r="{OFFICE}/officeDocument/2006/relationships"'
)
SHEET = f'xmlns="{OFFICE}/spreadsheetml/2006/main" xmlns:r="{OFFICE}/officeDocument/2006/relationships"'
RELATIONS = f'<Relationships xmlns="{OFFICE}/package/2006/relationships">{{}}</Relationships>'


def write_package(path: Path, parts: Mapping[str, str | bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in parts.items():
            package.writestr(name, content)
    return path


def write_pdf(path: Path, *pages: str, password: str | None = None, owner: str = "") -> Path:
    """A PDF with a page for each text; an empty text leaves its page blank, as a scan without text is."""
    pdf = FPDF()
    pdf.set_font("Helvetica", size=11)
    if password is not None:
        pdf.set_encryption(owner or "owner", password, permissions=AccessPermission.none())
    for text in pages:
        pdf.add_page()
        if text:
            pdf.multi_cell(0, 5, text)
    path.write_bytes(bytes(pdf.output()))
    return path


def raw_pdf(*objects: bytes) -> bytes:
    """A PDF of these objects, numbered from 1, the first its catalogue."""
    data, places = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    head = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    trailer = b"trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, len(data))
    return data + head + table + trailer


def pdf_bomb() -> bytes:
    """A PDF of less than a megabyte with a page that unpacks to 800."""
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(b"q Q " * (1 << 18)) for _ in range(800)) + packer.flush()
    return raw_pdf(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 4 0 R>>",
        b"<</Length %d/Filter/FlateDecode>>stream\n%s\nendstream" % (len(packed), packed),
    )


def write_word(path: Path, body: str, styles: str = "", **parts: str) -> Path:
    """A .docx of this body; `styles` are those of styles.xml."""
    written = {"word/document.xml": f"<w:document {WORD}><w:body>{body}</w:body></w:document>"}
    if styles:
        written["word/styles.xml"] = f"<w:styles {WORD}>{styles}</w:styles>"
    return write_package(path, written | {f"word/{name}.xml": content for name, content in parts.items()})


def paragraph(text: str, style: str = "") -> str:
    named = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    return f"<w:p>{named}<w:r><w:t>{text}</w:t></w:r></w:p>"


def write_powerpoint(path: Path, slides: Mapping[str, str]) -> Path:
    """A .pptx: the files of its slides, in the order they are shown, with what they hold."""
    ids = "".join(f'<p:sldId id="{256 + number}" r:id="r{number}"/>' for number in range(len(slides)))
    targets = "".join(f'<Relationship Id="r{number}" Target="slides/{name}"/>' for number, name in enumerate(slides))
    parts = {
        "ppt/presentation.xml": f"<p:presentation {SLIDES}><p:sldIdLst>{ids}</p:sldIdLst></p:presentation>",
        "ppt/_rels/presentation.xml.rels": RELATIONS.format(targets),
    }
    return write_package(path, parts | {f"ppt/slides/{name}": slide(shapes) for name, shapes in slides.items()})


def slide(shapes: str) -> str:
    return f"<p:sld {SLIDES}><p:cSld><p:spTree>{shapes}</p:spTree></p:cSld></p:sld>"


def shape(*lines: str, place: str = "") -> str:
    named = f'<p:nvSpPr><p:nvPr><p:ph type="{place}"/></p:nvPr></p:nvSpPr>' if place else ""
    text = "".join(f"<a:p><a:r><a:t>{line}</a:t></a:r></a:p>" for line in lines)
    return f"<p:sp>{named}<p:txBody>{text}</p:txBody></p:sp>"


def write_excel(path: Path, sheet: str, rows: str) -> Path:
    kinds = f"{OFFICE}/officeDocument/2006/relationships"
    main = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    return write_package(
        path,
        {
            "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
            '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            f'<Override PartName="/xl/workbook.xml" ContentType="{main}.sheet.main+xml"/>'
            f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{main}.worksheet+xml"/></Types>',
            "_rels/.rels": RELATIONS.format(
                f'<Relationship Id="r1" Type="{kinds}/officeDocument" Target="xl/workbook.xml"/>'
            ),
            "xl/workbook.xml": f'<workbook {SHEET}><sheets><sheet name="{sheet}" sheetId="1" r:id="r1"/></sheets>'
            "</workbook>",
            "xl/_rels/workbook.xml.rels": RELATIONS.format(
                f'<Relationship Id="r1" Type="{kinds}/worksheet" Target="worksheets/sheet1.xml"/>'
            ),
            "xl/worksheets/sheet1.xml": f"<worksheet {SHEET}><sheetData>{rows}</sheetData></worksheet>",
        },
    )


def write_epub(path: Path, chapters: Mapping[str, str]) -> Path:
    """An EPUB whose chapters are in the order of its spine; the package lies in a folder with a space in its name."""
    items = "".join(f'<item id="{name}" href="my%20text/{name}.xhtml"/>' for name in sorted(chapters))
    spine = "".join(f'<itemref idref="{name}"/>' for name in chapters)
    container = "urn:oasis:names:tc:opendocument:xmlns:container"
    root = '<rootfile full-path="OPS/book.opf" media-type="application/oebps-package+xml"/>'
    parts = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": f'<container xmlns="{container}"><rootfiles>{root}</rootfiles></container>',
        "OPS/book.opf": f'<package xmlns="http://www.idpf.org/2007/opf"><manifest>{items}</manifest>'
        f"<spine>{spine}</spine></package>",
    }
    return write_package(path, parts | {f"OPS/my text/{name}.xhtml": text for name, text in chapters.items()})


def write_notebook(path: Path, *cells: dict[str, object]) -> Path:
    path.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    return path


def message(subject: str, text: str = "", html: str = "", attachment: str = "") -> EmailMessage:
    mail = EmailMessage()
    mail["Subject"], mail["From"], mail["To"] = subject, "ann@example.org", "bob@example.org"
    if text:
        mail.set_content(text)
    if html:
        (mail.add_alternative if text else mail.set_content)(html, subtype="html")
    if attachment:
        mail.add_attachment(b"\0\1", maintype="application", subtype="pdf", filename=attachment)
    return mail


def zip_bomb(name: str) -> bytes:
    """A package of a few hundred kilobytes with a part of this name that unpacks to half a gigabyte."""
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as bomb, bomb.open(name, "w") as part:
        part.write(f"<w:document {WORD}><w:body>".encode())
        for _ in range(520):
            part.write(b" " * (1 << 20))
        part.write(b"</w:body></w:document>")
    return packed.getvalue()
