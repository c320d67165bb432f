"""What each process counts (docs/reference/metrics.md). No label for the shop: there would be too many series."""

from prometheus_client import Counter, Histogram

WEBHOOK_DELIVERIES = Counter("upbridge_webhook_deliveries", "Webhook deliveries received.", ("source", "outcome"))
WEBHOOK_SECONDS = Histogram(
    "upbridge_webhook_ack_seconds",
    "Seconds until a webhook was answered.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0),
)
REMOTE_CALLS = Counter("upbridge_remote_calls", "Calls to other systems.", ("system", "operation", "outcome"))
REMOTE_SECONDS = Histogram(
    "upbridge_remote_call_seconds", "Seconds of calls to other systems.", ("system", "operation")
)
BUDGET_WAITS = Counter("upbridge_budget_waits", "Times that work waited for the API budget.")
CONNECTIONS_ENDED = Counter(
    "upbridge_connections_ended", "Connections that the web side ended because of a bound.", ("reason",)
)
LOOP_LAG = Histogram(
    "upbridge_loop_lag_seconds",
    "Seconds by which an event loop of a web process or a worker came late to what was due.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0),
)
