"""``python -m campus PORT SERVICE``: make the tables, let SERVICE in, serve."""

import os
import sys
from wsgiref.simple_server import make_server

import django


def main(port, service):
    os.environ["DJANGO_SETTINGS_MODULE"] = "campus.settings"
    django.setup()
    from cas_server.models import ReplaceAttributName
    from cas_server.models import ServicePattern
    from django.core.management import call_command
    from django.core.wsgi import get_wsgi_application

    call_command("migrate", verbosity=0)
    wanted = {"pos": 1, "name": "suanwang", "pattern": f"^{service}$", "single_log_out": True}
    pattern, _made = ServicePattern.objects.get_or_create(**wanted)
    ReplaceAttributName.objects.get_or_create(name="*", service_pattern=pattern)
    server = make_server("127.0.0.1", port, get_wsgi_application())
    print("ready", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
