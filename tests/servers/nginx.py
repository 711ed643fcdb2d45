"""nginx as the floor under every HTTP figure: any path is a file of 1 KB, any PUT is taken and forgotten, and one on
the condition that there is nothing yet is refused, so that it can stand for an S3 bucket that is only read.

`/1k` is that file by its own name, `/absent` is a 404. Over HTTPS it speaks HTTP/2 as well, and listens on 127.0.0.2
too, a name that its certificate does not have.
"""

import os

from servers import install
from servers.process import LOOPBACK, Server, answers_http, free_port

SIZE = 1024
SETTINGS = """
daemon off;
master_process off;  # one process, ended by its id
pid {directory}/pid;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  sendfile on;
  tcp_nopush on;
  default_type application/octet-stream;
  keepalive_requests 1000000000;
  keepalive_timeout 1h;
  client_max_body_size 0;
  client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  ssl_certificate {certificate};
  ssl_certificate_key {key};
  server {{
    listen {host}:{port} backlog=4096;
    listen {host}:{tls_port} ssl http2 backlog=4096;
    listen 127.0.0.2:{tls_port} ssl http2;
    root {directory}/files;
    location / {{
      if ($http_if_none_match = "*") {{ return 412 "<Error><Code>PreconditionFailed</Code></Error>"; }}
      if ($request_method = PUT) {{ return 200; }}
      try_files $uri /1k;
    }}
    location = /1k {{ }}
    location = /absent {{ return 404; }}
  }}
}}
"""


class Nginx(Server):
    name = "nginx"

    def __init__(self, directory, certificates):
        super().__init__(directory)
        self.certificates = certificates
        self.tls_port = free_port()
        self.program = ""

    def install(self):
        self.program = install.tool("nginx") or install.debian_program("nginx", "usr/sbin/nginx")

    def command(self):
        files, settings = (os.path.join(self.directory, name) for name in ("files", "nginx.conf"))
        os.makedirs(files, exist_ok=True)
        with open(os.path.join(files, "1k"), "wb") as file:
            file.write(b"x" * SIZE)
        with open(settings, "w", encoding="utf-8") as file:
            file.write(SETTINGS.format(directory=self.directory, host=LOOPBACK, port=self.port,
                                       tls_port=self.tls_port, certificate=self.certificates.certificate,
                                       key=self.certificates.key))
        return [self.program, "-p", self.directory, "-e", "stderr", "-c", settings]

    def is_ready(self):
        return answers_http(self.port)

    def variables(self):
        return {"UNUM_TEST_HTTP": f"http://{self.address}", "UNUM_TEST_HTTPS": f"https://{LOOPBACK}:{self.tls_port}"}
