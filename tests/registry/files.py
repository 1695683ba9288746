#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""files.py CERTS FOLDER: serves the folder over TLS on a loopback port, which it writes to CERTS/files-ready."""
import functools
import http.server
import os
import ssl
import sys

certs, folder = sys.argv[1:]
handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder)
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certs + "/cert.pem", certs + "/key.pem")
server.socket = context.wrap_socket(server.socket, server_side=True)
with open(certs + "/files-ready.new", "w", encoding="utf-8") as out:
    out.write(str(server.server_address[1]))
os.rename(certs + "/files-ready.new", certs + "/files-ready")
server.serve_forever()
