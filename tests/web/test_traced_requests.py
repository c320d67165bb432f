"""The spans of requests: routes and outcomes, never an address or what came with it."""

from typing import Any

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.support.tracing import written
from tests.support.web_application import Site

PLANTED = "SECRET-4711"


@pytest.fixture
def traced_site(spans: InMemorySpanExporter, request: pytest.FixtureRequest) -> Any:
    """The application, made while traces are switched on."""
    assert spans is not None
    return request.getfixturevalue("site")


async def test_a_webhook_is_its_route_and_its_outcome(traced_site: Site, spans: InMemorySpanExporter) -> None:
    body = [{"order_number": PLANTED, "customer": {"email": "jana@example.cz"}}]
    response = await traced_site.post("Orders.create", {"orders": body})
    token = traced_site.addresses.token(traced_site.shop_id, "upgates", "Orders.create")

    (span,) = spans.get_finished_spans()
    assert response.status_code == 204
    assert span.attributes is not None
    assert span.attributes["http.response.status_code"] == 204
    assert span.name.startswith("POST ")
    for planted in (token, PLANTED, "jana@example.cz"):
        assert planted not in written(spans)


@pytest.mark.parametrize(
    "path",
    [f"/ui/open/{PLANTED}", f"/ui/s/{PLANTED}/", f"/webhooks/upgates/x/{PLANTED}", f"/{PLANTED}?a={PLANTED}"],
)
async def test_what_an_address_carries_is_in_no_span(
    traced_site: Site, spans: InMemorySpanExporter, path: str
) -> None:
    await traced_site.client.get(
        path.format(PLANTED), headers={"Authorization": f"Bearer {PLANTED}", "Cookie": PLANTED}
    )

    assert spans.get_finished_spans()
    assert PLANTED not in written(spans)
