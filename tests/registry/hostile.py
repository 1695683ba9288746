#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""hostile.py CASE DIR LAYOUT: a registry on 127.0.0.1 that serves the image of an OCI layout as evil/image:1, and lies.

DIR holds cert.pem and key.pem. Written there: "ready" (the ports of the registry and of a second host, "localhost"), and
"log", a line of JSON for each request with its headers. Ends with the process that started it.
"""
import http.server
import json
import os
import pathlib
import signal
import ssl
import sys
import threading
import time

case, folder, layout = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
log_lock = threading.Lock()
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"


def blob(digest):
    return (layout / "blobs" / digest.replace(":", "/")).read_bytes()


def digest_of(data):
    import hashlib
    return "sha256:" + hashlib.sha256(data).hexdigest()


top = json.loads((layout / "index.json").read_text())["manifests"][0]
manifest = blob(top["digest"])
document = json.loads(manifest)
layer = document["layers"][0]["digest"]
extra = {}  # digest -> bytes that this case invents


def invent(doc):
    data = json.dumps(doc).encode()
    extra[digest_of(data)] = data
    return data


if case == "huge-manifest":
    manifest = json.dumps({**document, "annotations": {"x": "y" * (5 << 20)}}).encode()
elif case == "artifact":
    manifest = invent({**document, "config": {**document["config"], "mediaType": "application/vnd.example+json"}})
elif case == "both":
    manifest = invent({**document, "manifests": []})
elif case == "keys-twice":
    manifest = manifest.rstrip()[:-1] + b',"layers":[]}'
elif case == "digest-odd":
    manifest = invent({**document, "config": {**document["config"], "digest": "sha256:../../../../etc/passwd"}})
elif case == "size-lies":
    layers = [{**document["layers"][0], "size": document["layers"][0]["size"] + 10}] + document["layers"][1:]
    manifest = invent({**document, "layers": layers})
elif case == "size-huge":
    manifest = invent({**document, "layers": [{**document["layers"][0], "size": 1 << 62}]})
elif case == "layers-many":
    manifest = invent({**document, "layers": document["layers"] * 500})
elif case == "not-json":
    manifest = b"<html>" + manifest
elif case in ("index", "index-lies", "index-nested", "index-other-type"):
    inner = {"mediaType": MANIFEST, "digest": digest_of(manifest), "size": len(manifest),
             "platform": {"os": "linux", "architecture": os.environ.get("ARCH", "amd64")}}
    extra[digest_of(manifest)] = b"x" + manifest[1:] if case == "index-lies" else manifest
    if case == "index-nested":
        nested = invent({"schemaVersion": 2, "mediaType": INDEX, "manifests": [inner]})
        inner = {**inner, "mediaType": INDEX, "digest": digest_of(nested), "size": len(nested)}
    if case == "index-other-type":
        inner["mediaType"] = INDEX
    manifest = invent({"schemaVersion": 2, "mediaType": INDEX, "manifests": [inner]})


class Registry(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    second = False

    def log_message(self, *args):
        pass

    def note(self):
        with log_lock, open(folder / "log", "a") as f:
            f.write(json.dumps({"second": self.second, "method": self.command, "path": self.path,
                                "headers": dict(self.headers)}) + "\n")

    def reply(self, status, data=b"", kind="application/octet-stream", headers=(), length=None):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data) if length is None else length))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def endless(self, kind):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
        while True:
            self.wfile.write(chunk)

    def redirect(self, where):
        self.reply(307, headers=[("Location", where)])

    def do_GET(self):
        self.note()
        try:
            self.answer()
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            self.close_connection = True

    do_HEAD = do_POST = do_PUT = do_GET

    def token(self):
        if case == "token-newline":
            return self.reply(200, json.dumps({"token": "a\r\nX-Evil: yes"}).encode(), "application/json")
        if case == "token-endless":
            return self.endless("application/json")
        if case == "token-other":
            return self.reply(200, b"[1]", "application/json")
        return self.reply(200, json.dumps({"token": "abc.def"}).encode(), "application/json")

    def challenge(self):
        realm = {"realm-other-host": f"https://localhost:{ports[1]}/token",
                 "realm-own-host": f"https://127.0.0.1:{ports[1]}/token",
                 "realm-plain": f"http://127.0.0.1:{ports[1]}/token",
                 "realm-metadata": "https://169.254.169.254/token",
                 "realm-file": "file:///etc/passwd",
                 }.get(case, f"https://127.0.0.1:{ports[0]}/token")
        text = f'Bearer realm="{realm}",service="test"'
        if case == "challenge-odd":
            text = 'Bearer realm="https://a",realm="https://b"'
        if case == "challenge-digest":
            text = 'Digest realm="x", nonce="y"'
        if case == "basic":
            text = 'Basic realm="x"'
        self.reply(401, b'{"errors":[{"code":"UNAUTHORIZED","message":"\\u001b[31mred\\u001b[0m"}]}', "application/json",
                   [("WWW-Authenticate", text)])

    def answer(self):
        if self.path.startswith("/token"):
            return self.token()
        if self.second:
            return self.serve_blob(self.path.rsplit("/", 1)[1])
        said = self.headers.get("Authorization", "")
        if case == "loop-401" or (case.startswith(("realm-", "token-", "challenge-")) and said != "Bearer abc.def"):
            return self.challenge()
        if case in ("basic", "redirect-host", "redirect-metadata") and not said.startswith("Basic "):
            self.reply(401, headers=[("WWW-Authenticate", 'Basic realm="x"')])
            return None
        if self.path == "/v2/":
            return self.reply(200, headers=[("X-Registry-Supports-Signatures", "1")] if case == "extension-500" else [])
        if case.startswith("tags-") and "/tags/list" in self.path:
            return self.serve_tags()
        if case.endswith("-500") and self.broken():
            return self.reply(500, b'{"errors":[{"code":"UNKNOWN","message":"disk"}]}', "application/json")
        if "/referrers/" in self.path or "/manifests/sha256-" in self.path:
            return self.reply(404)
        if "/manifests/" in self.path:
            return self.serve_manifest(self.path.rsplit("/", 1)[1])
        if "/blobs/" in self.path:
            return self.serve_blob(self.path.rsplit("/", 1)[1])
        return self.reply(404)

    # The one thing that this case cannot answer.
    def broken(self):
        if case == "referrers-500":
            return "/referrers/" in self.path
        if case == "extension-500":
            return self.path.startswith("/extensions/")
        return self.path.endswith({"sig-500": ".sig", "att-500": ".att"}[case])

    def serve_tags(self):
        link = {"tags-endless": f'<{self.path}>; rel="next"',
                "tags-other-host": f'<https://localhost:{ports[1]}/v2/evil/image/tags/list>; rel="next"',
                "tags-file": '<file:///etc/passwd>; rel="next"'}.get(case)
        if case == "tags-pages":  # by a token of its own, which is no tag
            at = self.path.partition("page=")[2]
            link = {"": '</v2/evil/image/tags/list?page=b%20b>; rel="next"', "b%20b": "<tags/../list?page=c>; rel=next; x=y"}.get(at)
            tags = {"": ["a", "b"], "b%20b": ["c"], "c": ["d", "a"]}[at]
        else:
            tags = ["a", "\x1b[31m"] if case == "tags-escape" else ["a"] * 1000
        return self.reply(200, json.dumps({"name": "evil/image", "tags": tags}).encode(), "application/json", [("Link", link)] if link else [])

    def serve_manifest(self, reference):
        if case == "endless-manifest":
            return self.endless(MANIFEST)
        if case == "headers-endless":
            self.send_response(200)
            for i in range(100000):
                self.send_header(f"X-{i}", "y" * 100)
            return self.end_headers()
        if case == "loris-manifest":
            self.send_response(200)
            self.send_header("Content-Type", MANIFEST)
            self.send_header("Content-Length", str(len(manifest)))
            self.end_headers()
            for i in range(len(manifest)):
                self.wfile.write(manifest[i:i + 1])
                time.sleep(1)
            return None
        data = extra[reference] if reference.startswith("sha256:") and reference in extra else manifest
        kind = json.loads(data).get("mediaType", MANIFEST) if data[:1] == b"{" and case != "keys-twice" else MANIFEST
        headers = []
        if case == "by-digest":
            data = data + b"\n"
        if case == "type-other":
            kind = "application/json"
        if case == "type-confused":
            kind = INDEX
        if case == "type-none":
            kind = ""
        if case == "digest-header":
            headers = [("Docker-Content-Digest", "sha256:" + "0" * 64)]
        return self.reply(200, data, kind, headers)

    def serve_blob(self, digest):
        data = blob(digest)
        if digest != layer:
            return self.reply(200, data)
        if case == "wrong-digest":
            data = data[:1000] + bytes([data[1000] ^ 1]) + data[1001:]
        elif case == "short":
            data = data[:-1]
        elif case == "long":
            data = data + b"x"
        elif case == "endless":
            return self.endless("application/octet-stream")
        elif case == "missing":
            return self.reply(404, b'{"errors":[{"code":"BLOB_UNKNOWN","message":"gone"}]}', "application/json")
        elif case in ("redirect-host", "redirect-host-anonymous") and not self.second:
            return self.redirect(f"https://localhost:{ports[1]}/data/{digest}")
        elif case == "redirect-plain":
            return self.redirect(f"http://localhost:{ports[1]}/data/{digest}")
        elif case == "redirect-loop":
            return self.redirect(self.path)
        elif case == "redirect-metadata":
            return self.redirect("https://169.254.169.254/latest/meta-data")
        elif case == "redirect-file":
            return self.redirect("file:///etc/passwd")
        elif case == "redirect-user":
            return self.redirect(f"https://u:p@127.0.0.1:{ports[0]}{self.path}")
        elif case == "loris":
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            for i in range(len(data)):
                self.wfile.write(data[i:i + 1])
                time.sleep(0.5)
            return None
        elif case == "wait":
            return self.reply(503, b"later")
        elif case == "chunk-cut":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"400\r\n" + data[:1024] + b"\r\n400\r\n" + data[1024:1100])
            self.close_connection = True
            return None
        elif case == "stall":  # two thirds, then nothing
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[:len(data) * 2 // 3])
            self.wfile.flush()
            with open(folder / "stalled", "w", encoding="utf-8"):
                pass
            time.sleep(600)
        elif case in ("cut", "range-lies", "range-ignored"):
            return self.serve_cut(data)
        return self.reply(200, data)

    # Each answer breaks off after a third of the whole; the rest comes by Range.
    def serve_cut(self, data):
        start, asked = 0, self.headers.get("Range")
        if asked and case != "range-ignored":
            start = int(asked.split("=")[1].split("-")[0])
        third = len(data) // 3 + 1
        self.send_response(206 if start else 200)
        if start:
            lie = 1 if case == "range-lies" else 0
            self.send_header("Content-Range", f"bytes {start - lie}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        whole = case == "range-ignored" and asked
        self.wfile.write(data[start:] if whole else data[start:start + third])
        self.wfile.flush()
        self.close_connection = True
        if not whole and start + third < len(data):
            self.connection.shutdown(2)


class Second(Registry):
    second = True


def make(handler):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    if case != "plain":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    return server


def main():
    import ctypes
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    servers = [make(Registry), make(Second)]
    ports.extend(s.server_address[1] for s in servers)
    for s in servers:
        threading.Thread(target=s.serve_forever, daemon=True).start()
    (folder / "ready.new").write_text(f"{ports[0]} {ports[1]}\n")
    (folder / "ready.new").rename(folder / "ready")
    signal.pause()


ports = []
main()
