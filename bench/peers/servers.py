"""Real Keystone and Glance from packages, set up in a temporary directory and served by uwsgi on loopback."""

import os
import subprocess
import time
from pathlib import Path
from urllib.parse import urlsplit

from bench.cloud import PASSWORD, Cloud, free_port

_PATIENCE = 60

_KEYSTONE = """
[DEFAULT]
log_file = {root}/keystone.log
[database]
connection = sqlite:///{root}/keystone.db
[token]
provider = fernet
[fernet_tokens]
key_repository = {root}/fernet-keys
[credential]
key_repository = {root}/credential-keys
[cache]
enabled = true
backend = oslo_cache.dict
"""

_GLANCE = """
[DEFAULT]
log_file = {root}/glance.log
enabled_backends = local:file
node_staging_uri = file://{root}/staging
enabled_import_methods = []
[os_glance_tasks_store]
filesystem_store_datadir = {root}/tasks
[os_glance_staging_store]
filesystem_store_datadir = {root}/staging
[glance_store]
default_backend = local
[local]
filesystem_store_datadir = {root}/images
[database]
connection = sqlite:///{root}/glance.db
[paste_deploy]
flavor = keystone
config_file = {environment}/etc/glance/glance-api-paste.ini
[keystone_authtoken]
www_authenticate_uri = {identity}
auth_url = {identity}/v3
auth_type = password
username = admin
password = {password}
project_name = admin
user_domain_id = default
project_domain_id = default
service_token_roles_required = true
[oslo_policy]
enforce_scope = true
"""


class CannotServe(Exception):
    """Why a peer does not run, in a sentence."""


class Peers(Cloud):
    """Both services in processes of their own, as many of each as there are processors."""

    def __init__(self, environment: Path, root: Path) -> None:
        self._bin = environment.absolute() / "bin"
        self._root = root
        self._running: list[subprocess.Popen[bytes]] = []
        identity = f"http://127.0.0.1:{free_port()}"
        image = f"http://127.0.0.1:{free_port()}"
        try:
            self._keystone(identity, image)
            self._glance(identity, image, environment.absolute())
            super().__init__(urlsplit(image), urlsplit(identity))
        except BaseException:
            self.stop()
            raise

    def _keystone(self, identity: str, image: str) -> None:
        (self._root / "keystone.conf").write_text(_KEYSTONE.format(root=self._root))
        for directory in ("fernet-keys", "credential-keys"):
            (self._root / directory).mkdir(mode=0o700)
        owner = ["--keystone-user", str(os.getuid()), "--keystone-group", str(os.getgid())]
        self._manage("keystone", "db_sync")
        self._manage("keystone", "fernet_setup", *owner)
        self._manage("keystone", "credential_setup", *owner)
        named = [f"--bootstrap-{kind}-url={identity}/v3" for kind in ("public", "internal", "admin")]
        self._manage("keystone", "bootstrap", "--bootstrap-password", PASSWORD, "--bootstrap-region-id", "one", *named)
        self._serve("keystone", identity, {"OS_KEYSTONE_CONFIG_FILES": str(self._root / "keystone.conf")})

    def _glance(self, identity: str, image: str, environment: Path) -> None:
        filled = _GLANCE.format(root=self._root, environment=environment, identity=identity, password=PASSWORD)
        (self._root / "glance-api.conf").write_text(filled)
        for directory in ("images", "staging", "tasks"):
            (self._root / directory).mkdir()
        self._manage("glance", "db_sync")
        self._serve("glance", image, {"OS_GLANCE_CONFIG_DIR": str(self._root)})

    def _manage(self, service: str, *words: str) -> None:
        file = "glance-api.conf" if service == "glance" else f"{service}.conf"
        command = [str(self._bin / f"{service}-manage"), "--config-file", str(self._root / file), *words]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise CannotServe(f"{service}-manage {words[0]} failed: {done.stdout[-500:]}{done.stderr[-1500:]}")

    def _serve(self, service: str, url: str, environ: dict[str, str]) -> None:
        processes = str(os.cpu_count() or 1)
        command = [str(self._bin / "uwsgi"), "--master", "--die-on-term", "--enable-threads", "--lazy-apps"]
        command += ["--http11-socket", url.removeprefix("http://"), "--processes", processes, "--threads", "4"]
        command += ["--buffer-size", "65535", "--thunder-lock", "--disable-logging", "--socket-timeout", "600"]
        command += ["--virtualenv", str(self._bin.parent), "--module", f"{service}.wsgi.api:application"]
        output = self._root / f"{service}.uwsgi.log"
        with output.open("wb") as log:
            self._running.append(
                subprocess.Popen(command, env={**os.environ, **environ}, stdout=log, stderr=subprocess.STDOUT)
            )
        end = time.monotonic() + _PATIENCE
        while time.monotonic() < end and self._running[-1].poll() is None:
            if b"WSGI app 0" in output.read_bytes():
                return
            time.sleep(0.1)
        raise CannotServe(f"{service} did not start: {output.read_text()[-2000:]}")

    def stop(self) -> None:
        """End both services."""
        for process in reversed(self._running):
            process.terminate()
            process.wait()
        self._running = []
