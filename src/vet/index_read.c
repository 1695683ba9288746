/* SPDX-License-Identifier: Apache-2.0 */
#include "vet/index_internal.h"

#include "base/cleanup.h"

static const char *text(sqlite3_stmt *s, int column)
{
	return (const char *)sqlite3_column_text(s, column);
}

/* Columns of S_FIND. A damaged number is one that says nothing. */
static void read_row(sqlite3_stmt *s, const struct advdb_query *q, struct advdb_row *out)
{
	int status = sqlite3_column_int(s, 2);
	bool has_level = sqlite3_column_type(s, 6) != SQLITE_NULL, has_epss = sqlite3_column_type(s, 15) != SQLITE_NULL;

	*out = (struct advdb_row){
		.row = {
			.ecosystem = q->ecosystem, .release = text(s, 17), .package = q->package, .binary = q->binary,
			.id = text(s, 0), .advisory = text(s, 1),
			.status = status >= 0 && status < ADVISORY_STATUSES ? (enum advisory_status)status : ADVISORY_AFFECTED,
			.introduced = text(s, 3), .fixed = text(s, 4), .last = text(s, 5),
			.level = has_level ? sqlite3_column_int(s, 6) : ADVISORY_NO_LEVEL,
			.cvss = sqlite3_column_double(s, 7), .module = text(s, 8), .summary = text(s, 9),
		},
		.priority = sqlite3_column_int(s, 10), .feed = text(s, 11),
		.kev_added = text(s, 12), .kev_due = text(s, 13), .ransomware = sqlite3_column_int(s, 14),
		.epss = has_epss ? sqlite3_column_double(s, 15) : -1, .percentile = has_epss ? sqlite3_column_double(s, 16) : -1,
	};
}

static int find_in(struct advdb_db *db, const struct advdb_query *q, const char *release, struct error *e)
{
	sqlite3_stmt *s = advdb_statement(db, S_FIND, e);
	int code, r = 0;

	if (!s)
		return -EBADMSG;
	advdb_bind(s, 1, q->ecosystem);
	advdb_bind(s, 2, release);
	advdb_bind(s, 3, q->package);
	sqlite3_bind_int(s, 4, q->binary);
	while (r == 0 && (code = sqlite3_step(s)) == SQLITE_ROW) {
		struct advdb_row row;

		read_row(s, q, &row);
		if (row.row.id && row.row.advisory && row.row.release && row.feed)
			r = q->row(q->ctx, &row, e);
	}
	if (r == 0 && code != SQLITE_DONE)
		r = advdb_error(db, "the index of advisories", e);
	sqlite3_reset(s);
	return r;
}

int advdb_find(struct advdb_db *db, const struct advdb_query *q, struct error *e)
{
	int r = find_in(db, q, "", e);

	for (size_t i = 0; r == 0 && q->releases[i]; i++)
		if (*q->releases[i])
			r = find_in(db, q, q->releases[i], e);
	return r;
}

static int covers(struct advdb_db *db, const char *ecosystem, const char *release, struct error *e)
{
	sqlite3_stmt *s = advdb_statement(db, S_COVERS, e);
	int r;

	if (!s)
		return -EBADMSG;
	advdb_bind(s, 1, ecosystem);
	advdb_bind(s, 2, release);
	r = sqlite3_step(s) == SQLITE_ROW ? sqlite3_column_int(s, 0) != 0 : advdb_error(db, "the index of advisories", e);
	sqlite3_reset(s);
	return r;
}

int advdb_covers(struct advdb_db *db, const char *ecosystem, const char *const *releases, struct error *e)
{
	int r = covers(db, ecosystem, "", e);

	for (size_t i = 0; r == 0 && releases[i]; i++)
		r = covers(db, ecosystem, releases[i], e);
	return r;
}

char *advdb_newest(struct advdb_db *db, const char *ecosystem, const char *const *releases)
{
	char *out = NULL;

	for (size_t i = 0; i == 0 || releases[i - 1]; i++) {
		const char *release = releases[i] ? releases[i] : "";
		sqlite3_stmt *s = advdb_statement(db, S_NEWEST, NULL);

		if (!s)
			return out;
		advdb_bind(s, 1, ecosystem);
		advdb_bind(s, 2, release);
		if (sqlite3_step(s) == SQLITE_ROW && text(s, 0) && (!out || __builtin_strcmp(text(s, 0), out) > 0)) {
			free(out);
			out = xstrdup(text(s, 0));
		}
		sqlite3_reset(s);
	}
	return out;
}

static json_t *list_feeds(struct advdb_db *db, struct error *e)
{
	sqlite3_stmt *s = advdb_statement(db, S_FEEDS, e);
	json_t *out = s ? json_array() : NULL;

	while (s && sqlite3_step(s) == SQLITE_ROW)
		json_array_append_new(
			out, json_pack("{s:s?, s:s?, s:s?, s:I, s:s?, s:I}", "name", text(s, 0), "file",
				     text(s, 1), "sha256", text(s, 2), "imported",
				     (json_int_t)sqlite3_column_int64(s, 3), "published", text(s, 4),
				     "statements", (json_int_t)sqlite3_column_int64(s, 5)));
	if (s)
		sqlite3_reset(s);
	return out;
}

static json_t *list_places(struct advdb_db *db, struct error *e)
{
	sqlite3_stmt *s = advdb_statement(db, S_PLACES, e);
	json_t *out = s ? json_array() : NULL;

	while (s && sqlite3_step(s) == SQLITE_ROW)
		json_array_append_new(
			out, json_pack("{s:s?, s:s?, s:I, s:I}", "ecosystem", text(s, 0), "release",
				     text(s, 1), "packages", (json_int_t)sqlite3_column_int64(s, 2),
				     "statements", (json_int_t)sqlite3_column_int64(s, 3)));
	if (s)
		sqlite3_reset(s);
	return out;
}

static json_int_t count(struct advdb_db *db, enum advdb_statement which)
{
	sqlite3_stmt *s = advdb_statement(db, which, NULL);
	json_int_t n = s && sqlite3_step(s) == SQLITE_ROW ? (json_int_t)sqlite3_column_int64(s, 0) : 0;

	if (s)
		sqlite3_reset(s);
	return n;
}

int advdb_status(struct advdb_db *db, json_t **out, struct error *e)
{
	_cleanup_json_ json_t *feeds = list_feeds(db, e), *places = feeds ? list_places(db, e) : NULL;

	if (!places)
		return -EBADMSG;
	*out = json_pack("{s:i, s:O, s:O, s:I, s:I}", "version", INDEX_VERSION, "feeds", feeds, "places",
		places, "kev", count(db, S_COUNT_KEV), "epss", count(db, S_COUNT_EPSS));
	return *out ? 0 : error_set(e, ENOMEM, "no memory");
}
