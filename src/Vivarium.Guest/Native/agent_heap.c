/*
 * Bounds the youngest generation of the agent's garbage collector. Its default is as large as the CPU's cache, which an agent that runs commands fills
 * without ever needing it. The runtime reads this setting from the environment only, before any managed code runs, so a constructor puts it there.
 * Hexadecimal, bytes: 1 MiB. Nothing inherits it: every process the agent starts gets an environment of its own.
 */
#include <stdlib.h>

__attribute__((constructor)) static void bound_young_generation(void)
{
    setenv("DOTNET_GCGen0MaxBudget", "100000", 0);
}
