#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""token.py DIR USER PASSWORD: a token server for docker-registry on 127.0.0.1 (distribution "Token Authentication").

Signs with DIR/key.pem (cert.pem is what the registry trusts). Who gives no password gets pull of public/*; who gives the
right one gets what is asked for. Writes DIR/token-ready (the port), and DIR/token-log, a line for each request.
"""
import base64
import ctypes
import http.server
import json
import pathlib
import signal
import ssl
import subprocess
import sys
import time
import urllib.parse

folder, user, password = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def sign(claims):
    der = subprocess.run(["openssl", "x509", "-in", folder / "token.crt", "-outform", "DER"], check=True,
                         capture_output=True).stdout
    head = {"typ": "JWT", "alg": "RS256", "x5c": [base64.b64encode(der).decode()]}
    text = b64(json.dumps(head).encode()) + "." + b64(json.dumps(claims).encode())
    signature = subprocess.run(["openssl", "dgst", "-sha256", "-sign", folder / "token.key"], input=text.encode(),
                               check=True, capture_output=True).stdout
    return text + "." + b64(signature)


class Tokens(http.server.BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_GET(self):
        query = urllib.parse.parse_qs(urllib.parse.urlparse(self.path).query)
        said = self.headers.get("Authorization")
        with open(folder / "token-log", "a") as f:
            f.write(json.dumps({"query": query, "login": bool(said)}) + "\n")
        if said and said != "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode():
            self.send_response(401)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        access = []
        for scope in query.get("scope", []):
            kind, name, actions = scope.split(":")
            allowed = actions.split(",") if said else [a for a in actions.split(",") if
                                                       a == "pull" and name.startswith("public/")]
            access.append({"type": kind, "name": name, "actions": allowed})
        now = int(time.time())
        body = json.dumps({"token": sign({
            "iss": "tests", "sub": user if said else "", "aud": "registry", "exp": now + 300, "nbf": now - 10, "iat": now,
            "jti": str(time.time_ns()), "access": access})}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Tokens)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
server.socket = context.wrap_socket(server.socket, server_side=True)
(folder / "token-ready.new").write_text(f"{server.server_address[1]}\n")
(folder / "token-ready.new").rename(folder / "token-ready")
server.serve_forever()
