"""Grafana's dashboard model, as far as these dashboards use it."""
