"""When and in which order requests go out: session queues, dispatch, rate gates, the breaker. Knows the domain only."""
