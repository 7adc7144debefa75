using System.Runtime.InteropServices;

namespace Vivarium.Guest.Init;

/// <summary>The agent's own environment.</summary>
internal static unsafe partial class AgentEnvironment
{
    /// <summary>
    /// Removes a variable, and wipes its value where the kernel put it: otherwise <c>/proc/1/environ</c> would go on showing it. Children get an environment
    /// of their own and inherit none of ours.
    /// </summary>
    public static void Forget(string name)
    {
        // SAFETY: getenv returns a NUL-terminated string inside the initial environment block, which is ours and writable; nothing else runs yet that reads it.
        var value = GetEnv(name);
        while (value is not null && *value != 0)
        {
            *value++ = (byte)'*';
        }

        _ = UnsetEnv(name);
        Environment.SetEnvironmentVariable(name, null);
    }

    [LibraryImport("libc", EntryPoint = "getenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial byte* GetEnv(string name);

    [LibraryImport("libc", EntryPoint = "unsetenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int UnsetEnv(string name);
}
