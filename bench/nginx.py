"""The rival for downloads: nginx with sendfile, serving one directory on loopback."""

import socket
import subprocess
import time
from pathlib import Path
from typing import Any

from bench.cloud import free_port

_NGINX = """
daemon off; master_process off; pid {root}/pid; error_log stderr emerg;
events {{ worker_connections 64; }}
http {{ access_log off; sendfile on; tcp_nopush on; default_type application/octet-stream;
  client_body_temp_path {root}/b; proxy_temp_path {root}/p; fastcgi_temp_path {root}/f;
  uwsgi_temp_path {root}/u; scgi_temp_path {root}/s;
  server {{ listen 127.0.0.1:{port}; root {root}; }} }}
"""


def _wait_for(port: int) -> None:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            time.sleep(0.02)
    raise SystemExit("the rival did not start")


def start_nginx(nginx: str, root: Path) -> tuple[int, subprocess.Popen[Any]]:
    """Its port and its process; it serves the files of `root`, which it has to be able to read."""
    port = free_port()
    config = root / "nginx.conf"
    config.write_text(_NGINX.format(root=root, port=port))
    process = subprocess.Popen([nginx, "-c", str(config), "-p", str(root)], stderr=subprocess.DEVNULL)
    _wait_for(port)
    return port, process
