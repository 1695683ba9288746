/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include "base/cleanup.h"
#include "base/conf.h"
#include "base/home.h"
#include "base/json.h"
#include "confine/cgroup.h"
#include "engine/container.h"
#include "engine/host.h"
#include "image/store.h"

#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

struct info_options {
	char *format;
};

static const struct cli_option options[] = {
	CLI_OPT(struct info_options, format, "format", 'f', CLI_STRING, "TEMPLATE",
		"print by a Go template, or \"json\"", "json"),
	CLI_END,
};

/* Key and value both taken over. */
static void put(json_t *doc, const char *key, json_t *value)
{
	json_object_set_new(doc, key, value);
}

static json_t *config_json(const struct conf *c)
{
	json_t *j = json_object();

	put(j, "Memory", json_integer((json_int_t)conf_memory(c)));
	put(j, "MemorySwap", json_integer((json_int_t)c->memory_swap));
	put(j, "Pids", json_integer((json_int_t)c->pids));
	put(j, "CpuWeight", json_integer((json_int_t)c->cpu_weight));
	put(j, "IoWeight", json_integer((json_int_t)c->io_weight));
	put(j, "Nofile", json_integer((json_int_t)c->nofile));
	put(j, "ShmSize", json_integer((json_int_t)c->shm_size));
	put(j, "TmpSize", json_integer((json_int_t)c->tmp_size));
	put(j, "Disk", json_integer((json_int_t)c->disk));
	put(j, "DiskInodes", json_integer((json_int_t)c->disk_inodes));
	put(j, "LogSize", json_integer((json_int_t)c->log_size));
	put(j, "LogFiles", json_integer((json_int_t)c->log_files));
	put(j, "ImageSize", json_integer((json_int_t)c->image_size));
	put(j, "ImageFileSize", json_integer((json_int_t)c->image_file_size));
	put(j, "ImageEntries", json_integer((json_int_t)c->image_entries));
	put(j, "ImageLayers", json_integer((json_int_t)c->image_layers));
	put(j, "ImageRatio", json_integer((json_int_t)c->image_ratio));
	put(j, "StopTimeout", json_integer((json_int_t)c->stop_timeout));
	put(j, "Network", json_string(c->network));
	put(j, "AcceptLowered", json_from_strv(c->accept_lowered));
	return j;
}

static json_t *pieces_json(const struct host_piece *p, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++) {
		json_t *j = json_object();

		put(j, "Name", json_string(p[i].name));
		put(j, "State", json_string(host_state_name(p[i].state)));
		put(j, "Found", json_string(p[i].found));
		put(j, "Takes", json_string(p[i].take));
		json_array_append_new(list, j);
	}
	return list;
}

static int count_containers(json_t *doc, struct error *e)
{
	size_t count[ST_DEAD + 1] = { 0 }, n = 0;
	struct container *all = NULL;
	int r = container_list(&all, &n, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		count[all[i].state.status]++;
		container_free(&all[i]);
	}
	free(all);
	put(doc, "Containers", json_integer((json_int_t)n));
	put(doc, "ContainersRunning", json_integer((json_int_t)count[ST_RUNNING]));
	put(doc, "ContainersPaused", json_integer((json_int_t)count[ST_PAUSED]));
	put(doc, "ContainersStopped", json_integer((json_int_t)(n - count[ST_RUNNING] - count[ST_PAUSED])));
	return 0;
}

static int count_images(json_t *doc, struct error *e)
{
	struct image *all = NULL;
	size_t n = 0;
	int r = image_list(&all, &n, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++)
		image_free(&all[i]);
	free(all);
	put(doc, "Images", json_integer((json_int_t)n));
	return 0;
}

/* Names as `docker info` has them where they mean the same. */
static int document(const struct host_piece *pieces, size_t n, const struct conf *conf, json_t **out, struct error *e)
{
	_cleanup_json_ json_t *doc = json_object();
	struct cgroup_machine m;
	struct sysinfo si;
	struct utsname u;
	int r;

	uname(&u);
	sysinfo(&si);
	cgroup_look(&m);
	put(doc, "Version", json_string(BRIG_VERSION));
	put(doc, "ServerVersion", json_string(BRIG_VERSION));
	put(doc, "KernelVersion", json_string(u.release));
	put(doc, "OSType", json_string("linux"));
	put(doc, "Architecture", json_string(u.machine));
	put(doc, "Name", json_string(u.nodename));
	put(doc, "NCPU", json_integer(sysconf(_SC_NPROCESSORS_ONLN)));
	put(doc, "MemTotal", json_integer((json_int_t)((uint64_t)si.totalram * si.mem_unit)));
	put(doc, "Rootless", json_boolean(!home_is_root()));
	put(doc, "CgroupVersion", json_string(m.version == 2 ? "2" : m.version == 1 ? "1" : ""));
	put(doc, "CgroupBase", json_string(m.base));
	r = count_containers(doc, e);
	if (r == 0)
		r = count_images(doc, e);
	if (r < 0)
		return r;
	put(doc, "DataRoot", json_string(home_data_path(NULL)));
	put(doc, "RunRoot", json_string(home_run_path(NULL)));
	put(doc, "ConfigRoot", json_string(home_config_path(NULL)));
	put(doc, "Config", config_json(conf));
	put(doc, "Machine", pieces_json(pieces, n));
	*out = steal_ptr(&doc);
	return 0;
}

static void print_size(const char *what, uint64_t bytes, const char *end)
{
	char num[24];

	format_size(bytes, true, num);
	printf("%s %s%s", what, num, end);
}

static long long number(const json_t *doc, const char *key)
{
	return json_integer_value(json_object_get(doc, key));
}

static void print_text(const json_t *doc, const struct host_piece *p, size_t n, const struct conf *c)
{
	struct cli_table *t = cli_table_new("WHAT", "STATE", "FOUND", NULL);
	bool head = false;

	printf("brig " BRIG_VERSION ", %s\n", home_is_root() ? "as root" : "as a user");
	printf("containers: %lld (%lld running, %lld paused), images: %lld\n", number(doc, "Containers"),
	       number(doc, "ContainersRunning"), number(doc, "ContainersPaused"), number(doc, "Images"));
	printf("files: %s, %s, %s\n", home_data_path(NULL), home_run_path(NULL), home_config_path(NULL));
	print_size("a container that names nothing gets: memory", conf_memory(c), ", ");
	print_size("swap", c->memory_swap, ", ");
	printf("%llu tasks, CPU weight %llu, %llu open files, ", (unsigned long long)c->pids,
	       (unsigned long long)c->cpu_weight, (unsigned long long)c->nofile);
	print_size("disk", c->disk, ", ");
	printf("network %s\n\n", c->network);

	for (size_t i = 0; i < n; i++)
		cli_table_row(t, p[i].name, host_state_name(p[i].state), p[i].found, NULL);
	cli_table_print(t, true);
	for (size_t i = 0; i < n; i++) {
		if (!p[i].take[0])
			continue;
		if (!head)
			printf("\nWhat the others would take:\n");
		head = true;
		printf("  %s: %s\n", p[i].name, p[i].take);
	}
}

static int run(void *options_, int argc, char **argv, struct error *e)
{
	struct info_options *o = options_;
	_cleanup_json_ json_t *doc = NULL;
	struct host_piece pieces[HOST_PIECES_MAX];
	struct conf conf;
	size_t n;
	int r;

	(void)argc;
	(void)argv;
	r = conf_load(&conf, e);
	if (r < 0)
		return r;
	n = host_look(pieces);
	r = document(pieces, n, &conf, &doc, e);
	if (r == 0 && o->format)
		r = cli_print_format(o->format, doc, e);
	else if (r == 0)
		print_text(doc, pieces, n, &conf);
	conf_free(&conf);
	return r;
}

const struct cli_command cmd_info = {
	.name = "info",
	.aliases = "system info",
	.group = "System",
	.args = "[OPTIONS]",
	.summary = "show what stands on this machine, and what each missing piece would take",
	.description = "Looks at the kernel, the ids, cgroups and programs that the walls and the engine need, as far as "
		       "they are there for the caller, and at brig.conf. A piece that is missing stops a container's "
		       "start unless it is accepted by name; one that is there partly lets brig run with less.",
	.options = options,
	.options_size = sizeof(struct info_options),
	.run = run,
};
