using System.Text;
using Vivarium.Wire.Host;

namespace Vivarium.Host.Tests.Support;

/// <summary>What a command printed, as text.</summary>
internal static class RunReplies
{
    public static string Out(this RunReply reply) => Encoding.UTF8.GetString(Convert.FromBase64String(reply.Stdout));

    public static string Err(this RunReply reply) => Encoding.UTF8.GetString(Convert.FromBase64String(reply.Stderr));
}
