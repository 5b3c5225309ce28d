"""The addresses of the CAS server."""

from django.urls import include
from django.urls import path

urlpatterns = [path("cas/", include("cas_server.urls", namespace="cas_server"))]
