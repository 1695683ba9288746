#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""files.py CERTS FOLDER: serves the folder over TLS on a loopback port, which it writes to CERTS/files-ready.

Files have entity tags (ETag); what is asked for is noted in CERTS/files-log, a line "STATUS PATH" each. Below /cut/ all files end in the
middle, below /chunked/ too, but without a length that would tell.
"""
import hashlib
import http.server
import os
import ssl
import sys
import urllib.parse

certs, folder = sys.argv[1:]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", **headers):
        with open(certs + "/files-log", "a", encoding="utf-8") as log:
            log.write(f"{status} {self.path}\n")
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if "Transfer_Encoding" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()

    def do_GET(self):
        name = urllib.parse.unquote(self.path.split("?")[0]).lstrip("/")
        way, _, rest = name.partition("/")
        if way in ("cut", "chunked"):
            name = rest
        path = os.path.realpath(os.path.join(folder, name))
        try:
            if not path.startswith(os.path.realpath(folder) + "/"):
                raise OSError
            with open(path, "rb") as file:
                body = file.read()
        except OSError:
            self.answer(404)
            return
        tag = '"' + hashlib.sha256(body).hexdigest()[:16] + '"'
        if self.headers.get("If-None-Match") == tag:
            self.answer(304, ETag=tag)
        elif way == "cut":
            self.answer(200, body, ETag=tag)
            self.wfile.write(body[: len(body) // 2])
            self.close_connection = True
        elif way == "chunked":
            self.answer(200, ETag=tag, Transfer_Encoding="chunked")
            half = body[: len(body) // 2]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(half), half))
            self.close_connection = True
        else:
            self.answer(200, body, ETag=tag)
            self.wfile.write(body)


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certs + "/cert.pem", certs + "/key.pem")
server.socket = context.wrap_socket(server.socket, server_side=True)
with open(certs + "/files-ready.new", "w", encoding="utf-8") as out:
    out.write(str(server.server_address[1]))
os.rename(certs + "/files-ready.new", certs + "/files-ready")
server.serve_forever()
