"""From the operator's file to the logo that buyers see, and what stays of one that was replaced."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import pypdf
import pytest
from PIL import Image

from paylink import bootstrap
from tests.integration.aws import BUCKET_NAME
from tests.integration.world import Answer, World, http_event


def a_picture(folder: Path, color: str, form: str = "PNG") -> str:
    path = folder / f"{color}.{form.lower()}"
    Image.new("RGB", (400, 100), color).save(path, form)
    return str(path)


def set_logo(world: World, *arguments: str) -> dict[str, Any]:
    changed = world.operator("organizations", "update", world.seller.organization_id, *arguments)
    world.new_container()  # settings are remembered for a minute
    return changed


def get(world: World, key: str) -> Answer:
    _, organization_id, name = key.split("/")
    return world.http(
        "logos",
        http_event("get_logo", parameters={"organizationId": organization_id, "name": name}),
    )


def pixel(content: bytes) -> Any:
    return Image.open(io.BytesIO(content)).convert("RGB").getpixel((5, 5))


def logos_in(document: bytes) -> list[bytes]:
    (page,) = pypdf.PdfReader(io.BytesIO(document)).pages
    return [image.data for image in page.images]


def stored_invoice(world: World) -> tuple[dict[str, Any], bytes]:
    invoice = world.aws.item("INVOICE#")
    (stored,) = (key for key in world.aws.objects() if invoice["id"] in key)
    return invoice, world.aws.objects()[stored]


def test_the_logo_is_on_page_invoice_and_mail(world: World, tmp_path: Path) -> None:
    logo = set_logo(world, "--logo", a_picture(tmp_path, "navy"))["logo"]
    assert (logo["width"], logo["height"]) == (400, 100)
    world.paid()
    world.issue_invoices()
    invoice, document = stored_invoice(world)
    assert invoice["seller"]["logo"] == logo
    assert [pixel(image) for image in logos_in(document)] == [(0, 0, 128)]
    page = world.open_link(invoice["payment_id"])
    assert f'<img class="logo" src="../{logo["key"]}" alt=""' in page.text
    assert "img-src 'self' data:" in page.headers["content-security-policy"]
    world.invoke("send_mails", world.mail_event())
    (mail,) = world.aws.mails()
    html = mail.get_body(("html",))
    assert html is not None
    assert f'/{logo["key"]}" alt="Example Studio GmbH"' in html.get_content()


def test_a_container_reads_a_logo_once(world: World, tmp_path: Path) -> None:
    for color in ("navy", "maroon"):
        set_logo(world, "--logo", a_picture(tmp_path, color))
        for _ in range(2):
            world.paid()
        world.aws.calls.clear()
        world.issue_invoices()
        assert [operation for operation, _ in world.aws.calls].count("GetObject") == 1
    drawn = [logos_in(d) for key, d in world.aws.objects().items() if key.endswith(".pdf")]
    assert sorted(pixel(logo) for (logo,) in drawn) == [(0, 0, 128)] * 2 + [(128, 0, 0)] * 2


@pytest.mark.parametrize(("form", "media_type"), [("PNG", "image/png"), ("JPEG", "image/jpeg")])
def test_anybody_gets_it_and_may_keep_it(
    world: World, tmp_path: Path, form: str, media_type: str
) -> None:
    logo = set_logo(world, "--logo", a_picture(tmp_path, "navy", form))["logo"]
    answer = get(world, logo["key"])
    assert answer.status == 200
    assert answer.raw["isBase64Encoded"]
    assert pixel(base64.b64decode(answer.text))[2] > 100
    assert answer.headers["content-type"] == media_type
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["x-content-type-options"] == "nosniff"
    stored = world.aws.s3.head_object(Bucket=BUCKET_NAME, Key=logo["key"])
    assert stored["ContentType"] == media_type


def test_a_replaced_logo_stays_on_what_was_made_with_it(world: World, tmp_path: Path) -> None:
    first = set_logo(world, "--logo", a_picture(tmp_path, "navy"))["logo"]
    world.paid()
    world.dispatch()
    event = world.invoice_event()
    # The number is given; the PDF fails, and is made when the logo is another one.
    world.aws.fail_once("PutObject")
    with pytest.raises(Exception, match="All records failed"):
        world.invoke("issue_invoice", event)
    second = set_logo(world, "--logo", a_picture(tmp_path, "maroon"))["logo"]
    assert second["key"] != first["key"]
    assert world.invoke("issue_invoice", event) == {"batchItemFailures": []}
    _, document = stored_invoice(world)
    assert [pixel(image) for image in logos_in(document)] == [(0, 0, 128)]
    assert set_logo(world, "--no-logo")["logo"] is None
    assert [get(world, logo["key"]).status for logo in (first, second)] == [200, 200]


def test_without_its_logo_pages_and_invoices_go_on(world: World, tmp_path: Path) -> None:
    logo = set_logo(world, "--logo", a_picture(tmp_path, "navy"))["logo"]
    world.aws.s3.delete_object(Bucket=BUCKET_NAME, Key=logo["key"])
    payment = world.paid()
    world.issue_invoices()
    _, document = stored_invoice(world)
    assert logos_in(document) == []
    assert world.open_link(payment["id"]).status == 200
    assert get(world, logo["key"]).status == 404


def test_other_changes_leave_the_logo_and_it_can_be_taken_away(
    world: World, tmp_path: Path
) -> None:
    logo = set_logo(world, "--logo", a_picture(tmp_path, "navy"))["logo"]
    assert set_logo(world, "--city", "Hamburg")["logo"] == logo
    assert set_logo(world, "--no-logo")["logo"] is None
    payment = world.paid()
    assert "<img" not in world.open_link(payment["id"]).text


def test_a_file_that_is_no_logo_changes_nothing(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drawing = tmp_path / "logo.svg"
    drawing.write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    with pytest.raises(SystemExit):
        set_logo(world, "--logo", str(drawing))
    assert "is no PNG or JPEG that can be read" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        set_logo(world, "--logo", a_picture(tmp_path, "navy"), "--no-logo")
    assert world.aws.objects() == {}


@pytest.mark.parametrize(
    "key",
    [
        "logos/org_1/0123456789abcdef0123456789abcdef.png",
        "logos/org_1/0123456789abcdef0123456789abcdef.svg",
        "logos/org_1/..%2F..%2Fsecret",
        "logos/../invoice.pdf",
        "logos/\x00\ud800/\n",
    ],
)
def test_strangers_names_are_not_found(world: World, key: str) -> None:
    assert get(world, key).refused() == (404, "not_found_error", "not_found")


def test_what_functions_may_not_list_is_not_found_either(world: World, tmp_path: Path) -> None:
    logo = set_logo(world, "--logo", a_picture(tmp_path, "navy"))["logo"]
    world.aws.fail_once("GetObject", "AccessDenied")
    assert get(world, logo["key"]).status == 404
    world.aws.fail_once("GetObject", "SlowDown")
    assert get(world, logo["key"]).status == 500
    assert get(world, logo["key"]).status == 200


def test_the_function_of_logos_needs_no_table_and_no_secret(world: World) -> None:
    world.aws.calls.clear()
    get(world, "logos/org_1/0123456789abcdef0123456789abcdef.png")
    assert [operation for operation, _ in world.aws.calls] == ["GetObject"]
    assert bootstrap.table.cache_info().currsize == 0
