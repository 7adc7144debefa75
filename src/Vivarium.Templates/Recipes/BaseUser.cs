namespace Vivarium.Templates.Recipes;

/// <summary>The ordinary user of built-in templates: <c>user</c>, 1000, no password, no sudo.</summary>
internal static class BaseUser
{
    internal const uint Id = 1000;

    internal const string GroupLine = "user:x:1000:\n";

    /// <summary>No password, and a fixed day of its last change: the digest must not depend on the day of the build.</summary>
    internal const string ShadowLine = "user:*:19000:0:99999:7:::\n";

    internal const string Hosts = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n";

    internal static string PasswdLine(string shell) => $"user:x:1000:1000:user:/home/user:{shell}\n";
}
