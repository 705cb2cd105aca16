/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Removing what `load` left under the pin path. */
#pragma once

#include <stdbool.h>

/* Removes the maps and the program pinned under the path, and the path itself. False (said) if something stays. */
bool hw_unload_pins(const char *pin);
