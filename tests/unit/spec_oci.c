/* SPDX-License-Identifier: Apache-2.0 */
/* Documents of every wrong kind: one error with the JSON path, and nothing left of the structure (CASES: hostile config.json). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/mount.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "spec/oci.h"

static char folder[] = "/tmp/brig-spec-oci-XXXXXX";
static int dir_fd = -1;

static int setup(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(folder));
	dir_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dir_fd < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	unlinkat(dir_fd, "config.json", 0);
	close(dir_fd);
	return rmdir(folder);
}

static int read_bytes(const char *data, size_t n, struct oci_config *c, struct error *e)
{
	assert_int_equal(file_replace(dir_fd, "config.json", data, n, 0600, false), 0);
	return oci_config_read(dir_fd, "config.json", c, NULL, NULL, e);
}

/* Single quotes stand for double ones. */
static char *quoted(const char *text)
{
	char *s = xstrdup(text);

	for (char *p = s; *p; p++)
		*p = *p == '\'' ? '"' : *p;
	return s;
}

/* The least document with members added. */
static char *document(const char *more)
{
	_cleanup_free_ char *text = xasprintf("{'ociVersion': '1.2.0', 'root': {'path': 'rootfs'}, 'process': {'args': ['sh'], "
					      "'cwd': '/'}%s%s}", *more ? ", " : "", more);

	return quoted(text);
}

static void must_fail(const char *json, size_t n, const char *part)
{
	static const struct oci_config empty = { .process.umask = -1 };
	struct error e = { 0 };
	struct oci_config c;
	int r = read_bytes(json, n, &c, &e);

	if (r == 0)
		fail_msg("accepted: %.300s", json);
	assert_int_equal(e.code, r);
	if (!strstr(e.text, part) || strncmp(e.text, "config.json", 11) != 0)
		fail_msg("\"%s\" does not say \"%s\", for %.300s", e.text, part, json);
	assert_null(strchr(e.text, '\n'));
	for (const char *p = e.text; *p; p++)
		assert_in_range((unsigned char)*p, 0x20, 0x7e);
	assert_memory_equal(&c, &empty, sizeof(c));
}

struct bad {
	const char *more, *part;
};

static void all_fail(const struct bad *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		_cleanup_free_ char *json = document(v[i].more), *part = quoted(v[i].part);

		must_fail(json, strlen(json), part);
	}
}

/* --- documents as a whole ------------------------------------------------------------------------------------------ */

static void broken_documents(void **state)
{
	static const struct bad whole[] = {
		{ "", "config.json" },
		{ "null", "config.json" },
		{ "[]", "not an object" },
		{ "'text'", "config.json" },
		{ "{", "config.json" },
		{ "{} {}", "config.json" },
		{ "{}", "ociVersion: is missing" },
		{ "{'ociVersion': null}", "ociVersion: is missing" },
		{ "{'ociVersion': ''}", "ociVersion: is empty" },
		{ "{'ociVersion': 1}", "ociVersion: not a string" },
		{ "{'ociVersion': '2.0.0'}", "ociVersion: '2.0.0' is not supported" },
		{ "{'ociVersion': '0.9'}", "is not supported" },
		{ "{'ociVersion': '1.'}", "is not supported" },
		{ "{'ociVersion': '1\\u001b[2J'}", "is not supported" },
		{ "{'ociVersion': '1.0.0'}", "root: is missing" },
		{ "{'ociVersion': '1.0.0', 'root': null}", "root: is missing" },
		{ "{'ociVersion': '1.0.0', 'root': []}", "root: not an object" },
		{ "{'ociVersion': '1.0.0', 'root': {}}", "root.path: is missing" },
		{ "{'ociVersion': '1.0.0', 'root': {'path': ''}}", "root.path: is empty" },
		{ "{'ociVersion': '1.0.0', 'root': {'path': 7}}", "root.path: not a string" },
		{ "{'ociVersion': '1.0.0', 'root': {'path': 'r', 'readonly': 'yes'}}", "root.readonly: not true or false" },
		{ "{'ociVersion': '1.0.0', 'ociVersion': '1.0.0', 'root': {'path': 'r'}}", "duplicate" },
		{ "{'ociVersion': '1.0.0', 'root': {'path': 'a', 'path': 'b'}}", "duplicate" },
		{ "{'ociVersion': '1.0.0', 'root': {'path': 'a\\u0000b'}}", "config.json" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(whole); i++) {
		_cleanup_free_ char *json = quoted(whole[i].more), *part = quoted(whole[i].part);

		must_fail(json, strlen(json), part);
	}
	/* invalid UTF-8, a NUL byte, a byte order mark */
	must_fail("{\"ociVersion\": \"1.0.0\xff\"}", 24, "config.json");
	must_fail("{\"ociVersion\": \"1.0.0\xc0\xaf\"}", 25, "config.json");
	must_fail("{\"ociVersion\": \0\"1.0.0\"}", 24, "config.json");
	must_fail("\xef\xbb\xbf{}", 5, "config.json");
}

static void huge_and_deep(void **state)
{
	size_t n = OCI_CONFIG_MAX + 1;
	_cleanup_free_ char *big = xmalloc(n), *deep = xmalloc(400001);
	_cleanup_free_ char *head = quoted("{'ociVersion': '1.2.0', 'root': {'path': 'rootfs'}, 'x': '");
	struct error e = { 0 };
	struct oci_config c;

	(void)state;
	memset(big, 'a', n);
	memcpy(big, head, strlen(head));
	memcpy(big + n - 2, "\"}", 2);
	must_fail(big, n, "is larger than 16 MiB");
	/* one byte less is read */
	memcpy(big + n - 3, "\"}", 2);
	if (read_bytes(big, n - 1, &c, &e) < 0)
		fail_msg("%s", e.text);
	oci_config_free(&c);
	memset(deep, '[', 200000);
	memset(deep + 200000, ']', 200000);
	deep[400000] = 0;
	must_fail(deep, 400000, "config.json");
}

static void a_missing_file(void **state)
{
	struct error e = { 0 };
	struct oci_config c;

	(void)state;
	unlinkat(dir_fd, "config.json", 0);
	assert_int_equal(oci_config_read(dir_fd, "config.json", &c, NULL, NULL, &e), -ENOENT);
	assert_non_null(strstr(e.text, "config.json"));
	/* what is no file is not read, and not waited for */
	assert_int_equal(mkfifoat(dir_fd, "config.json", 0600), 0);
	e = (struct error){ 0 };
	alarm(5);
	assert_true(oci_config_read(dir_fd, "config.json", &c, NULL, NULL, &e) < 0);
	alarm(0);
	unlinkat(dir_fd, "config.json", 0);
}

/* --- members ------------------------------------------------------------------------------------------------------- */

#define PROCESS(x) "'process': {'args': ['sh'], 'cwd': '/', " x "}"

static void bad_processes(void **state)
{
	/* `process` stands there once: these replace it */
	static const struct bad v[] = {
		{ "'process': []", "process: not an object" },
		{ "'process': {'cwd': '/'}", "process.args: names no program" },
		{ "'process': {'cwd': '/', 'args': []}", "process.args: names no program" },
		{ "'process': {'cwd': '/', 'args': 'sh'}", "process.args" },
		{ "'process': {'cwd': '/', 'args': ['sh', 1]}", "process.args[1]: not a string" },
		{ "'process': {'args': ['sh']}", "process.cwd" },
		{ "'process': {'args': ['sh'], 'cwd': 'tmp'}", "process.cwd" },
		{ "'process': {'args': ['sh'], 'cwd': ''}", "process.cwd" },
		{ PROCESS("'terminal': 1"), "process.terminal: not true or false" },
		{ PROCESS("'consoleSize': {'height': 65536, 'width': 1}"), "process.consoleSize.height" },
		{ PROCESS("'consoleSize': {'height': -1, 'width': 1}"), "process.consoleSize.height" },
		{ PROCESS("'env': ['PATH']"), "process.env[0]: is not NAME=VALUE" },
		{ PROCESS("'env': ['A=b', '=c']"), "process.env[1]: is not NAME=VALUE" },
		{ PROCESS("'env': [null]"), "process.env[0]: not a string" },
		{ PROCESS("'user': {'uid': -1}"), "process.user.uid" },
		{ PROCESS("'user': {'uid': 4294967296}"), "process.user.uid" },
		{ PROCESS("'user': {'uid': '0'}"), "process.user.uid" },
		{ PROCESS("'user': {'uid': 0.5}"), "process.user.uid" },
		{ PROCESS("'user': {'gid': -5}"), "process.user.gid" },
		{ PROCESS("'user': {'umask': 512}"), "process.user.umask" },
		{ PROCESS("'user': {'additionalGids': [1, -1]}"), "process.user.additionalGids[1]" },
		{ PROCESS("'user': {'additionalGids': 1}"), "process.user.additionalGids" },
		{ PROCESS("'capabilities': []"), "process.capabilities: not an object" },
		{ PROCESS("'capabilities': {'bounding': 'CAP_KILL'}"), "process.capabilities.bounding" },
		{ PROCESS("'capabilities': {'ambient': [1]}"), "process.capabilities.ambient[0]: not a string" },
		{ PROCESS("'rlimits': [{'soft': 1, 'hard': 1}]"), "process.rlimits[0].type: is missing" },
		{ PROCESS("'rlimits': [{'type': 'RLIMIT_X', 'soft': 1, 'hard': 1}]"), "process.rlimits[0].type: 'RLIMIT_X'" },
		{ PROCESS("'rlimits': [{'type': 'RLIMIT_CPU', 'hard': 1}]"), "process.rlimits[0].soft: is missing" },
		{ PROCESS("'rlimits': [{'type': 'RLIMIT_CPU', 'soft': 2, 'hard': 1}]"), "the soft limit is above the hard one" },
		{ PROCESS("'rlimits': [{'type': 'RLIMIT_CPU', 'soft': -1, 'hard': 1}]"), "process.rlimits[0].soft" },
		{ PROCESS("'rlimits': [{'type': 'RLIMIT_CPU', 'soft': 1, 'hard': 99999999999999999999}]"), "process.rlimits[0].hard" },
		{ PROCESS("'rlimits': [{'type': 'RLIMIT_CPU', 'soft': 1, 'hard': 1}, {'type': 'RLIMIT_CPU', 'soft': 1, 'hard': 1}]"),
		  "process.rlimits[1].type: stands there twice" },
		{ PROCESS("'noNewPrivileges': 'true'"), "process.noNewPrivileges: not true or false" },
		{ PROCESS("'oomScoreAdj': 1001"), "process.oomScoreAdj" },
		{ PROCESS("'oomScoreAdj': -1001"), "process.oomScoreAdj" },
		{ PROCESS("'scheduler': {}"), "process.scheduler.policy: is missing" },
		{ PROCESS("'scheduler': {'policy': 'SCHED_BEST'}"), "process.scheduler.policy: 'SCHED_BEST' is not known" },
		{ PROCESS("'scheduler': {'policy': 'SCHED_OTHER', 'nice': 20}"), "process.scheduler.nice" },
		{ PROCESS("'scheduler': {'policy': 'SCHED_OTHER', 'flags': ['X']}"), "process.scheduler.flags[0]" },
		{ PROCESS("'ioPriority': {'class': 'IOPRIO_CLASS_X'}"), "process.ioPriority.class" },
		{ PROCESS("'ioPriority': {'class': 'IOPRIO_CLASS_BE', 'priority': 8}"), "process.ioPriority.priority" },
		{ PROCESS("'apparmorProfile': []"), "process.apparmorProfile: not a string" },
		{ PROCESS("'execCPUAffinity': {'initial': 1}"), "process.execCPUAffinity.initial: not a string" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(v); i++) {
		_cleanup_free_ char *text = xasprintf("{'ociVersion': '1.2.0', 'root': {'path': 'r'}, %s}", v[i].more);
		_cleanup_free_ char *json = quoted(text), *part = quoted(v[i].part);

		must_fail(json, strlen(json), part);
	}
}

static void bad_mounts_and_hooks(void **state)
{
	static const struct bad v[] = {
		{ "'mounts': {}", "mounts: not a" },
		{ "'mounts': ['x']", "mounts[0]: not an object" },
		{ "'mounts': [{'type': 'tmpfs'}]", "mounts[0].destination: is missing" },
		{ "'mounts': [{'destination': '', 'type': 'tmpfs'}]", "mounts[0].destination: is empty" },
		{ "'mounts': [{'destination': '/a'}]", "mounts[0].type: is missing" },
		{ "'mounts': [{'destination': '/a', 'type': 'bind'}]", "mounts[0].source: is missing" },
		{ "'mounts': [{'destination': '/a', 'options': ['rbind']}]", "mounts[0].source: is missing" },
		{ "'mounts': [{'destination': '/a', 'type': 'tmpfs', 'options': 'ro'}]", "mounts[0].options" },
		{ "'mounts': [{'destination': '/a', 'type': 'tmpfs', 'options': [1]}]", "mounts[0].options[0]: not a string" },
		{ "'mounts': [{'destination': '/a', 'source': '/', 'options': ['bind', 'size=5']}]", "mounts[0].options: \"size=5\": a bind" },
		{ "'mounts': [{'destination': '/a', 'source': '/', 'options': ['bind', 'dirsync']}]", "mounts[0].options: sync, dirsync" },
		{ "'mounts': [{'destination': '/a', 'type': 'tmpfs', 'options': ['remount', 'size=5']}]", "mounts[0].options: \"size=5\"" },
		{ "'mounts': [{'destination': '/a', 'type': 'proc', 'options': ['tmpcopyup']}]", "tmpcopyup is for a tmpfs" },
		{ "'mounts': [{'destination': '/a', 'type': 'tmpfs', 'options': ['idmap']}]", "only bind mounts can be idmapped" },
		{ "'mounts': [{'destination': '/a', 'source': '/', 'options': ['bind', 'idmap']}]", "mounts[0]: an idmapped mount" },
		{ "'mounts': [{'destination': '/a', 'source': '/', 'type': 'bind', 'uidMappings': [{'containerID': 0, 'hostID': 0,"
		  " 'size': 1}]}]", "needs both" },
		{ "'mounts': [{'destination': '/a', 'source': '/', 'type': 'bind', 'uidMappings': [{'hostID': 0, 'size': 1}]}]",
		  "mounts[0].uidMappings[0].containerID: is missing" },
		{ "'mounts': [{'destination': '/a', 'source': '/', 'type': 'bind', 'uidMappings': [{'containerID': -1, 'hostID': 0,"
		  " 'size': 1}]}]", "mounts[0].uidMappings[0].containerID" },
		{ "'hooks': []", "hooks: not an object" },
		{ "'hooks': {'prestart': {}}", "hooks.prestart" },
		{ "'hooks': {'poststop': [{}]}", "hooks.poststop[0].path: is missing" },
		{ "'hooks': {'createRuntime': [{'path': 'x'}]}", "hooks.createRuntime[0].path: is not absolute" },
		{ "'hooks': {'createContainer': [{'path': '/x', 'timeout': 0}]}", "hooks.createContainer[0].timeout" },
		{ "'hooks': {'startContainer': [{'path': '/x', 'timeout': -3}]}", "hooks.startContainer[0].timeout" },
		{ "'hooks': {'poststart': [{'path': '/x', 'env': {}}]}", "hooks.poststart[0].env" },
		{ "'annotations': {'a': 1}", "annotations['a']: not a string" },
		{ "'annotations': {'': 'x'}", "annotations: has an empty name" },
		{ "'annotations': []", "annotations: not an object" },
		{ "'hostname': 'x'", "hostname: needs a uts namespace" },
		{ "'hostname': 1", "hostname: not a string" },
	};

	(void)state;
	all_fail(v, ARRAY_SIZE(v));
}

#define NS(x) "'linux': {'namespaces': [" x "]}"
#define LINUX(x) "'linux': {" x "}"

static void bad_linux(void **state)
{
	static const struct bad v[] = {
		{ "'linux': 1", "linux: not an object" },
		{ "'linux': {'namespaces': {}}", "linux.namespaces" },
		{ NS("{}"), "linux.namespaces[0].type: is missing" },
		{ NS("{'type': 'pid'}, {'type': 'mnt'}"), "linux.namespaces[1].type: 'mnt' is no namespace" },
		{ NS("{'type': 'pid'}, {'type': 'pid'}"), "linux.namespaces[1].type: pid stands there twice" },
		{ NS("{'type': 'pid', 'path': 'proc/1/ns/pid'}"), "linux.namespaces[0].path: is not absolute" },
		{ NS("{'type': 'pid', 'path': 1}"), "linux.namespaces[0].path: not a string" },
		{ NS("{'type': 'user'}"), "linux.uidMappings: is missing" },
		{ LINUX("'uidMappings': [{'containerID': 0, 'hostID': 0, 'size': 1}]"), "need a user namespace" },
		{ LINUX("'uidMappings': [{'containerID': 0, 'hostID': 0, 'size': 0}]"), "linux.uidMappings[0].size: is 0" },
		{ LINUX("'uidMappings': [{'containerID': 4294967295, 'hostID': 0, 'size': 2}]"), "linux.uidMappings[0]: goes beyond" },
		{ LINUX("'gidMappings': [{'containerID': 0, 'hostID': -1, 'size': 2}]"), "linux.gidMappings[0].hostID" },
		{ LINUX("'timeOffsets': {'monotonic': {'secs': 1}}"), "linux.timeOffsets: needs a new time namespace" },
		{ LINUX("'timeOffsets': {'boottime': {'nanosecs': 1000000000}}"), "linux.timeOffsets.boottime.nanosecs" },
		{ LINUX("'devices': [{'type': 'c', 'major': 1, 'minor': 3}]"), "linux.devices[0].path: is missing" },
		{ LINUX("'devices': [{'path': 'dev/x', 'type': 'c', 'major': 1, 'minor': 3}]"), "linux.devices[0].path" },
		{ LINUX("'devices': [{'path': '/dev/x', 'type': 'z', 'major': 1, 'minor': 3}]"), "linux.devices[0].type" },
		{ LINUX("'devices': [{'path': '/dev/x', 'type': 'c', 'major': -1, 'minor': 3}]"), "linux.devices[0].major" },
		{ LINUX("'devices': [{'path': '/dev/x', 'type': 'c', 'major': 1, 'minor': 3, 'uid': -1}]"), "linux.devices[0].uid" },
		{ LINUX("'cgroupsPath': 1"), "linux.cgroupsPath: not a string" },
		{ LINUX("'resources': []"), "linux.resources: not an object" },
		{ LINUX("'resources': {'devices': [{'allow': true, 'access': 'q'}]}"), "linux.resources.devices[0].access" },
		{ LINUX("'resources': {'devices': [{'allow': true, 'type': 'x', 'access': 'r'}]}"), "linux.resources.devices[0].type" },
		{ LINUX("'resources': {'memory': {'limit': '1G'}}"), "linux.resources.memory.limit" },
		{ LINUX("'resources': {'memory': {'swappiness': 201}}"), "linux.resources.memory.swappiness" },
		{ LINUX("'resources': {'cpu': {'shares': -1}}"), "linux.resources.cpu.shares" },
		{ LINUX("'resources': {'pids': {'limit': 1.5}}"), "linux.resources.pids.limit" },
		{ LINUX("'resources': {'hugepageLimits': [{'limit': 1}]}"), "linux.resources.hugepageLimits[0].pageSize" },
		{ LINUX("'resources': {'unified': {'memory.max': 1}}"), "linux.resources.unified['memory.max']: not a string" },
		{ LINUX("'resources': {'unified': {'../x': '1'}}"), "linux.resources.unified" },
		{ LINUX("'rootfsPropagation': 'open'"), "linux.rootfsPropagation" },
		{ LINUX("'maskedPaths': ['proc/kcore']"), "linux.maskedPaths[0]" },
		{ LINUX("'readonlyPaths': [1]"), "linux.readonlyPaths[0]" },
		{ LINUX("'sysctl': {'../../etc': '1'}"), "linux.sysctl['../../etc']: is no kernel parameter" },
		{ LINUX("'sysctl': {'/etc/passwd': '1'}"), "linux.sysctl" },
		{ LINUX("'sysctl': {'a.b': 1}"), "linux.sysctl['a.b']: not a string" },
		{ LINUX("'personality': {'domain': 'BSD'}"), "linux.personality.domain" },
		{ LINUX("'intelRdt': {'closID': '../x'}"), "linux.intelRdt.closID" },
		{ LINUX("'memoryPolicy': {}"), "linux.memoryPolicy.mode" },
		{ LINUX("'memoryPolicy': {'mode': 'MPOL_X'}"), "linux.memoryPolicy.mode" },
		{ LINUX("'netDevices': {'eth0': {}}"), "linux.netDevices: needs a network namespace" },
		{ LINUX("'namespaces': [{'type': 'network'}], 'netDevices': {'a/b': {}}"), "linux.netDevices['a/b']" },
		{ LINUX("'namespaces': [{'type': 'network'}], 'netDevices': {'eth0': {'name': '..'}}"), "linux.netDevices['eth0']" },
	};

	(void)state;
	all_fail(v, ARRAY_SIZE(v));
}

#define SECCOMP(x) "'linux': {'seccomp': {" x "}}"
#define CALL(x) SECCOMP("'defaultAction': 'SCMP_ACT_ALLOW', 'syscalls': [" x "]")

static void bad_seccomp(void **state)
{
	static const struct bad v[] = {
		{ SECCOMP(""), "linux.seccomp.defaultAction: is missing" },
		{ SECCOMP("'defaultAction': 'ALLOW'"), "linux.seccomp.defaultAction: 'ALLOW' is no action" },
		{ SECCOMP("'defaultAction': 'SCMP_ACT_NOTIFY', 'listenerPath': '/x'"), "linux.seccomp.defaultAction" },
		{ SECCOMP("'defaultAction': 'SCMP_ACT_ERRNO', 'defaultErrnoRet': -1"), "linux.seccomp.defaultErrnoRet" },
		{ SECCOMP("'defaultAction': 'SCMP_ACT_ALLOW', 'defaultErrnoRet': 1"), "takes no errno" },
		{ SECCOMP("'defaultAction': 'SCMP_ACT_ALLOW', 'flags': ['SECCOMP_FILTER_FLAG_NEW_LISTENER']"),
		  "linux.seccomp.flags[0]: is not known" },
		{ CALL("{'action': 'SCMP_ACT_ALLOW'}"), "linux.seccomp.syscalls[0].names: names no call" },
		{ CALL("{'names': [], 'action': 'SCMP_ACT_ALLOW'}"), "linux.seccomp.syscalls[0].names" },
		{ CALL("{'names': ['read']}"), "linux.seccomp.syscalls[0].action: is missing" },
		{ CALL("{'names': ['read'], 'action': 'SCMP_ACT_NOTIFY'}"), "linux.seccomp.listenerPath: is missing" },
		{ CALL("{'names': ['read'], 'action': 'SCMP_ACT_ERRNO', 'errnoRet': 65536}"), "linux.seccomp.syscalls[0].errnoRet" },
		{ CALL("{'names': ['read'], 'action': 'SCMP_ACT_ALLOW', 'args': [{'index': 6, 'value': 0, 'op': 'SCMP_CMP_EQ'}]}"),
		  "linux.seccomp.syscalls[0].args[0].index" },
		{ CALL("{'names': ['read'], 'action': 'SCMP_ACT_ALLOW', 'args': [{'index': 0, 'op': 'SCMP_CMP_EQ'}]}"),
		  "linux.seccomp.syscalls[0].args[0].value: is missing" },
		{ CALL("{'names': ['read'], 'action': 'SCMP_ACT_ALLOW', 'args': [{'index': 0, 'value': 0, 'op': 'EQ'}]}"),
		  "linux.seccomp.syscalls[0].args[0].op" },
	};

	(void)state;
	all_fail(v, ARRAY_SIZE(v));
}

/* --- what is read is what stands there ----------------------------------------------------------------------------- */

static void good(const char *more, struct oci_config *c)
{
	_cleanup_free_ char *json = document(more);
	struct error e = { 0 };

	if (read_bytes(json, strlen(json), c, &e) < 0)
		fail_msg("%s, for %s", e.text, json);
}

static void values_are_kept(void **state)
{
	struct oci_config c;

	(void)state;
	good("'unknown': {'deep': [1]}, 'linux': {'namespaces': [{'type': 'pid'}, {'type': 'network', 'path': '/proc/1/ns/net'}],"
	     "'seccomp': {'defaultAction': 'SCMP_ACT_ERRNO', 'syscalls': [{'names': ['a'], 'action': 'SCMP_ACT_TRACE', 'errnoRet': 9,"
	     "'args': [{'index': 5, 'value': 18446744073709551615, 'valueTwo': 9223372036854775808, 'op': 'SCMP_CMP_MASKED_EQ'}]}]}}",
	     &c);
	assert_true(c.ns[OCI_NS_PID].set && !c.ns[OCI_NS_PID].path && !c.ns[OCI_NS_USER].set);
	assert_string_equal(c.ns[OCI_NS_NETWORK].path, "/proc/1/ns/net");
	assert_int_equal(c.seccomp.default_action, SECCOMP_RET_ERRNO | EPERM);
	assert_int_equal(c.seccomp.rules[0].action, SECCOMP_RET_TRACE | 9);
	assert_true(c.seccomp.rules[0].args[0].value == UINT64_MAX);
	assert_true(c.seccomp.rules[0].args[0].value_two == UINT64_C(1) << 63);
	assert_int_equal(c.seccomp.rules[0].args[0].op, OCI_CMP_MASKED_EQ);
	assert_int_equal(c.process.umask, -1);
	oci_config_free(&c);

	/* options in their order; the last one of a kind wins */
	good("'mounts': [{'destination': '/a', 'source': '/b', 'options': ['rbind', 'ro', 'rw', 'nosuid', 'rro', 'noatime',"
	     " 'rprivate']}, {'destination': '/c', 'type': 'tmpfs', 'options': ['size=5', 'nosuid', 'mode=1777']}]", &c);
	assert_true(c.mounts[0].bind && c.mounts[0].rbind);
	assert_true(c.mounts[0].attr_set == (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOATIME));
	assert_true(c.mounts[0].attr_clr == (MOUNT_ATTR_RDONLY | MOUNT_ATTR__ATIME));
	assert_true(c.mounts[0].rec_set == MOUNT_ATTR_RDONLY);
	assert_true(c.mounts[0].n_propagation == 1 && c.mounts[0].propagation[0] == (MS_PRIVATE | MS_REC));
	assert_string_equal(c.mounts[1].data, "size=5,mode=1777");
	oci_config_free(&c);
}

/* A capability that is not known is no error (config.md, "Linux Process"), and none of the others is lost. */
static void unknown_capabilities(void **state)
{
	_cleanup_free_ char *json = quoted("{'ociVersion': '1.0.2-dev', 'root': {'path': 'r'}, 'process': {'args': ['sh'], 'cwd': '/',"
					   "'capabilities': {'bounding': ['CAP_NEW', 'CAP_KILL']}, 'rlimits': [{'type': 'RLIMIT_CORE',"
					   "'soft': 18446744073709551615, 'hard': 18446744073709551615}]}}");
	struct error e = { 0 };
	struct oci_config c;

	(void)state;
	if (read_bytes(json, strlen(json), &c, &e) < 0)
		fail_msg("%s", e.text);
	assert_true(c.process.caps.set && c.process.caps.bounding == 1 << CAP_KILL && c.process.caps.effective == 0);
	assert_true(c.process.rlimits[0].hard == RLIM_INFINITY);
	oci_config_free(&c);
}

/* What `brig-oci spec` writes is read back, for both kinds of callers. */
static void examples_are_read(void **state)
{
	(void)state;
	for (int rootless = 0; rootless < 2; rootless++) {
		_cleanup_json_ json_t *j = oci_spec_example(rootless);
		struct error e = { 0 };
		struct oci_config c;

		if (oci_config_parse(j, &c, &e) < 0)
			fail_msg("%s", e.text);
		assert_true(c.process.no_new_privs && c.ns[OCI_NS_PID].set && c.ns[OCI_NS_USER].set == rootless);
		oci_config_free(&c);
	}
}

/* What CRI-O, containerd and podman look for (features.md), and no option twice or out of order. */
static void features_are_complete(void **state)
{
	_cleanup_json_ json_t *j = oci_features();
	const json_t *options = json_object_get(j, "mountOptions"), *lin = json_object_get(j, "linux"), *item;
	const char *last = "";
	bool rro = false, idmap = false;
	size_t i;

	(void)state;
	assert_non_null(j);
	assert_int_equal(json_array_size(json_object_get(j, "hooks")), OCI_HOOK_COUNT);
	assert_string_equal(json_string_value(json_object_get(j, "ociVersionMin")), "1.0.0");
	json_array_foreach(options, i, item) {
		rro |= streq(json_string_value(item), "rro");
		idmap |= streq(json_string_value(item), "idmap");
		if (strcmp(last, json_string_value(item)) >= 0)
			fail_msg("%s stands after %s", json_string_value(item), last);
		last = json_string_value(item);
	}
	assert_true(rro && idmap);
	assert_true(json_is_true(json_object_get(json_object_get(json_object_get(lin, "mountExtensions"), "idmap"), "enabled")));
	assert_true(json_array_size(json_object_get(lin, "capabilities")) >= 41);
	assert_int_equal(json_array_size(json_object_get(lin, "namespaces")), OCI_NS_COUNT);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(broken_documents),	cmocka_unit_test(huge_and_deep),
		cmocka_unit_test(a_missing_file),	cmocka_unit_test(bad_processes),
		cmocka_unit_test(bad_mounts_and_hooks), cmocka_unit_test(bad_linux),
		cmocka_unit_test(bad_seccomp),		cmocka_unit_test(values_are_kept),
		cmocka_unit_test(unknown_capabilities), cmocka_unit_test(examples_are_read),
		cmocka_unit_test(features_are_complete),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
