/* SPDX-License-Identifier: Apache-2.0 */
/* The LSM wall: the AppArmor profile or SELinux label of a container, when the host has one. */
#pragma once

#include "confine/wall.h"

extern const struct wall wall_lsm;

enum lsm_kind {
	LSM_NONE,
	LSM_APPARMOR,
	LSM_SELINUX,
};

/*
 * The label-giving module that is active on this machine; reads only, and once: before Linux 6.8 it takes the host's /sys, so
 * that who asks inside of a container has asked before.
 */
enum lsm_kind lsm_active(void);

/*
 * The AppArmor profile of containers that name none: `brig setup` loads it and writes the file from which the machine's start loads
 * it again. NULL where AppArmor is not active or nobody made that setup.
 */
#define LSM_DEFAULT_PROFILE "brig-default"
#define LSM_DEFAULT_FILE "/etc/apparmor.d/" LSM_DEFAULT_PROFILE
const char *lsm_default_profile(void);
