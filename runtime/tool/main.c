/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * transproc-stop: runs on a node, starts programs, stops them at equivalence points, lets them go on. Each command prints one JSON
 * object; exit status 0 done, 1 failed (the object says why, and the program runs on), 2 wrong usage.
 *
 *   run --state DIR [--dir DIR] [--stdin F] [--stdout F] [--stderr F] [--pidfile F] [--env K=V]... [--terminal LOG --rows R --columns C]
 *       [--uid U --gid G [--groups G,...]] [--pause | --pause-at ADDRESS] [--count K] [--timeout MS] -- PROGRAM ARGUMENT...
 *   pause --pid P [--run MICROSECONDS] [--at ADDRESS] [--count K] [--timeout MS] [--terminal LOG] [--mappings DIR]    --run: a paused tree first goes on for so long; --mappings: watch.h
 *   dump --pid P --dir DIR --list F --moves N [--clocks F] [--attributes F] [--owed F [--mappings DIR]] [--guard F] [--terminal LOG --key F] -- CRIU dump OPTION...    --owed: withhold.h, --guard: mend.h
 *   restore --state DIR --pidfile F --moves N [--deadline MS] [--dir DIR --list F] [--attributes F] [--borrowed DIR] [--terminal LOG --key F] [--uid U --gid G]
 *       -- CRIU restore --restore-detached --pidfile F OPTION...
 *   attach --pid P --terminal LOG --offset N       prints no object, but what is in LOG from N on, and types what it reads
 *   resize --pid P --terminal LOG --rows R --columns C
 *   resume --pid P [--dir DIR --list F] [--guard F]     removes the names that criu has made in DIR since F was written
 *   kill --pid P [--moved --state DIR]
 *   probe --network N                       who has the addresses of a network: network.h
 *   plug --pid P --network N
 *       run, restore, resume, dump and kill take --network N as well, for a program that has a network of its own: it is plugged in when the
 *       program runs, and unplugged from a dump on, in a restore, and at an end that nobody shall notice
 *   status --pid P
 *   sparse -- FILE...    prints nothing; pages of the files that are all zero become holes
 *   give --dir DIR; take --dir DIR    prints, or reads and unpacks, a parcel of small files: parcel.c
 *   inventory --dir DIR; changes --dir DIR --list F --changed F [--patched F]; remove --dir DIR    files that have a copy elsewhere: tree.h
 *   blocks --dir DIR --list F [--changing]; patch --dir DIR [--changing]    what is different inside of large ones: patch.h
 *   lend --pid P; borrow --dir DIR --owed F [--eager] [--held]; link --dir DIR    pages that follow a process: pages.h
 *   copy --pid P; hold --dir DIR    and that go ahead of one: held.h
 *   pack [-- PROGRAM ARGUMENT...]; unpack [-- PROGRAM ARGUMENT...]    streams over a link: pack.h
 *   serve, channel [-- WORD]    run programs for the host, which knows them by the word: serve.h
 *   hand --dir SOCKET     prints nothing, but passes on a descriptor that it gets at a socket, through standard output
 *   room --dir DIR; look --dir DIR --pid P -- PROGRAM    print no object, but what a preflight wants to know: look.c
 *   peers --pid P     prints no object, but a line for each connected unix socket: its inode, and its peer's
 */
#include "commands.h"
#include "serve.h"

enum { DEFAULT_TIMEOUT = 5000, MAX_ENVIRONMENT = 1024, PRIVATE_UMASK = 077 /* images are memory: nobody else reads them */, MOST_CELLS = 0xffff };
static const uint64_t NO_USER = UINT64_MAX;

__asm__(".text\n" START_CODE);

static int usage(const char *message)
{
	report_failure("usage", message);
	return 2;
}

struct named_string {
	const char *name;
	const char **value;
};

struct named_number {
	const char *name;
	uint64_t *value;
};

struct named_flag {
	const char *name;
	bool *value;
};

static bool take_flag(const struct named_flag *known, const char *name)
{
	for (; known->name; known++)
		if (!strcmp(known->name, name))
			return *known->value = true;
	return false;
}

static bool take_string(const struct named_string *known, const char *name, const char *value)
{
	for (; known->name; known++)
		if (!strcmp(known->name, name))
			return *known->value = value, true;
	return false;
}

static bool take_number(const struct named_number *known, const char *name, const char *value)
{
	for (; known->name; known++)
		if (!strcmp(known->name, name))
			return parse_number(value, known->value);
	return false;
}

/* `groups`: numbers with commas between them. */
static bool parse_user(struct launch *launch, uint64_t uid, uint64_t gid, const char *groups)
{
	static struct user user;
	user = (struct user){ .uid = (uint32_t)uid, .gid = (uint32_t)gid };
	if (uid >= UINT32_MAX || gid >= UINT32_MAX)
		return false;
	while (*groups) {
		char *number = format("%s", groups);
		size_t size = 0;
		uint64_t group;
		while (number[size] && number[size] != ',')
			size++;
		groups += number[size] ? size + 1 : size;
		number[size] = 0;
		if (!parse_number(number, &group) || group >= UINT32_MAX || user.group_count == sizeof user.groups / sizeof *user.groups)
			return false;
		user.groups[user.group_count++] = (uint32_t)group;
	}
	launch->user = &user;
	return true;
}

/* NULL, or what is wrong. A program gets the variables that are given; criu gets ours. */
static const char *parse(char **arguments, struct options *options)
{
	static char *environment[MAX_ENVIRONMENT + 1];
	size_t variables = 0;
	uint64_t pid = 0, uid = NO_USER, gid = NO_USER;
	const char *groups = "", *network = NULL;
	static struct network parsed;
	struct launch *launch = &options->launch;
	const struct named_string strings[] = { { "--state", &launch->state }, { "--dir", &launch->directory }, { "--stdin", &launch->input },
		{ "--stdout", &launch->output }, { "--stderr", &launch->errors }, { "--pidfile", &launch->pidfile },
		{ "--list", &options->list }, { "--clocks", &options->clocks }, { "--owed", &options->owed }, { "--guard", &options->guard }, { "--changed", &options->changed }, { "--patched", &options->patched }, { "--mappings", &options->mappings }, { "--attributes", &options->attributes }, { "--terminal", &launch->terminal }, { "--key", &launch->key }, { "--borrowed", &launch->borrowed }, { "--groups", &groups },
		{ "--network", &network }, { 0 } };
	const struct named_number numbers[] = { { "--pid", &pid }, { "--at", &options->at }, { "--pause-at", &options->at },
		{ "--count", &options->count }, { "--run", &options->run }, { "--timeout", &options->timeout },
		{ "--moves", &options->moves }, { "--offset", &options->offset },
		{ "--rows", &options->rows }, { "--columns", &options->columns }, { "--deadline", &launch->deadline },
		{ "--uid", &uid }, { "--gid", &gid }, { 0 } };
	const struct named_flag flags[] = { { "--pause", &options->pause }, { "--moved", &options->moved }, { "--eager", &options->eager }, { "--held", &options->held }, { "--changing", &options->changing }, { "--ahead", &launch->ahead }, { 0 } };
	for (; *arguments && strcmp(*arguments, "--"); arguments++) {
		const char *name = arguments[0];
		if (take_flag(flags, name))
			continue;
		char *value = *++arguments;
		if (!value)
			return format("option %s: needs a value", name);
		if (!strcmp(name, "--env") && variables < MAX_ENVIRONMENT)
			environment[variables++] = value;
		else if (!take_string(strings, name, value) && !take_number(numbers, name, value))
			return format("option %s %s: unknown, or not a number", name, value);
		options->pause |= !strcmp(name, "--pause-at");
	}
	if (pid > INT32_MAX || options->rows > MOST_CELLS || options->columns > MOST_CELLS)
		return "a number is too large";
	if ((uid != NO_USER || gid != NO_USER) && !parse_user(launch, uid, gid, groups))
		return "--uid, --gid and --groups are not those of a user";
	if (network && !parse_network(network, &parsed))
		return "--network is not a network";
	launch->network = network ? &parsed : NULL;
	options->pid = (int)pid;
	launch->window = (struct window){ .rows = (uint16_t)options->rows, .columns = (uint16_t)options->columns };
	launch->argv = *arguments ? arguments + 1 : arguments;
	if (variables || !launch->environment)
		launch->environment = environment;
	return NULL;
}

struct command {
	const char *name;
	int (*action)(const struct options *options);
	bool needs_pid, needs_program, needs_state, needs_pidfile, needs_list, needs_terminal, needs_network, needs_directory;
	bool starts_others; /* with our environment, as criu is started */
};

static const struct command commands[] = {
	{ "run", command_run, .needs_program = true, .needs_state = true },
	{ "pause", command_pause, .needs_pid = true },
	{ "dump", command_dump, .starts_others = true, .needs_pid = true, .needs_program = true, .needs_list = true },
	{ "restore", command_restore, .starts_others = true, .needs_program = true, .needs_state = true, .needs_pidfile = true },
	{ "resume", command_resume, .needs_pid = true },
	{ "kill", command_kill, .needs_pid = true },
	{ "status", command_status, .needs_pid = true },
	{ "hand", command_hand, .needs_directory = true },
	{ "room", command_room, .needs_directory = true },
	{ "look", command_look, .needs_pid = true, .needs_directory = true, .needs_program = true },
	{ "peers", command_peers, .needs_pid = true },
	{ "attach", command_attach, .needs_pid = true, .needs_terminal = true },
	{ "resize", command_resize, .needs_pid = true, .needs_terminal = true },
	{ "sparse", command_sparse, .needs_program = true },
	{ "give", command_give, .needs_directory = true },
	{ "take", command_take, .needs_directory = true },
	{ "inventory", command_inventory, .needs_directory = true },
	{ "changes", command_changes, .needs_list = true },
	{ "remove", command_remove, .needs_directory = true },
	{ "blocks", command_blocks, .needs_list = true },
	{ "patch", command_patch, .needs_directory = true },
	{ "lend", command_lend, .needs_pid = true },
	{ "borrow", command_borrow, .needs_pid = false },
	{ "link", command_link, .needs_pid = false },
	{ "copy", command_copy, .needs_pid = true },
	{ "hold", command_hold, .needs_pid = false },
	{ "pack", command_pack, .starts_others = true },
	{ "unpack", command_unpack, .starts_others = true },
	{ "plug", command_plug, .needs_pid = true, .needs_network = true },
	{ "probe", command_probe, .needs_network = true },
	{ "serve", command_serve, .starts_others = true },
	{ "channel", command_channel, .starts_others = true },
};

static int perform(const struct command *command, const struct options *options)
{
	if (command->needs_pid && options->pid <= 1)
		return usage("--pid is missing");
	if (command->needs_program && !options->launch.argv[0])
		return usage("a program is missing");
	if ((command->needs_state || options->moved) && !options->launch.state)
		return usage("--state is missing");
	if (command->needs_pidfile && !options->launch.pidfile)
		return usage("--pidfile is missing");
	if ((command->needs_list || options->list) && (!options->list || !options->launch.directory))
		return usage("--dir and --list are missing, or one of them");
	if (command->needs_directory && !options->launch.directory)
		return usage("--dir is missing");
	if (command->needs_terminal && !options->launch.terminal)
		return usage("--terminal is missing");
	if (command->needs_network && !options->launch.network)
		return usage("--network is missing");
	bool dumps = command->action == command_dump || command->action == command_restore;
	if (dumps && options->launch.terminal && !options->launch.key)
		return usage("--key is missing");
	if (options->launch.ahead && (!dumps || options->launch.terminal || options->launch.network || options->owed))
		return usage("--ahead is not for this");
	return command->action(options);
}

static int run_command(char **arguments, char **environment)
{
	struct options options = { .timeout = DEFAULT_TIMEOUT };
	if (!arguments[0] || !arguments[1])
		return usage("a command is missing");
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
		if (strcmp(commands[i].name, arguments[1]))
			continue;
		if (commands[i].starts_others)
			options.launch.environment = environment;
		const char *wrong = parse(arguments + 2, &options);
		return wrong ? usage(wrong) : perform(&commands[i], &options);
	}
	return usage(format("command %s: unknown", arguments[1]));
}

/* From START_CODE: the stack holds argc, argv, NULL, environment. */
__attribute__((used)) _Noreturn void start(long *stack)
{
	int fd;
	while ((fd = open_file("/dev/null", O_RDWR)) >= 0 && fd < 3) /* the standard descriptors may be closed */
		;
	SYS(NR_close, fd);
	SYS(NR_umask, PRIVATE_UMASK);
	leave(run_command((char **)(stack + 1), (char **)(stack + 1 + stack[0] + 1)));
}
