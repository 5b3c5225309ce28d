"""Real paths between network namespaces: address translation, load balancer, delay and a cut link, without root."""
