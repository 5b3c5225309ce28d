"""What stands for a site's Prometheus and Alertmanager: figures of its own nodes, and alerts that an operator raises.

Shaped by Prometheus 2.42 and Alertmanager 0.25 as they were seen: values are text, a metric that is not there is an
empty success, cards carry their own time stamps and so outlive an exporter that is down.
"""
