using System.CommandLine;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Host;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Cli.Parsing;

/// <summary>The flags run and create share, and the request they make.</summary>
internal sealed class SandboxFlags
{
    private readonly Option<string> _runtime = Opt.Text("--runtime", "WORD", "isolation: auto, container, gvisor, vm");
    private readonly Option<string> _template = Opt.Text("--template", "NAME", "template by name or digest", "-T");
    private readonly Option<string> _name = Opt.Text("--name", "NAME", "name of the sandbox; default two words", "-n");
    private readonly Option<string> _cpus = Opt.Text("--cpus", "N", "CPUs, may be a fraction");
    private readonly Option<string> _memory = Opt.Text("--memory", "SIZE", "memory, such as 512MiB", "-m");
    private readonly Option<string> _disk = Opt.Text("--disk", "SIZE", "disk space");
    private readonly Option<string> _pids = Opt.Text("--pids", "N", "processes and threads");
    private readonly Option<string[]> _env = Opt.Many("--env", "K[=V]", "environment variable; without a value: ours", "-e");
    private readonly Option<string[]> _envFile = Opt.Many("--env-file", "FILE", "file of K=V lines");
    private readonly Option<string[]> _secret = Opt.Many("--secret", "NAME[=SRC]", "secret from our variable NAME, or SRC: env:VAR, file:PATH, - (standard input)");
    private readonly Option<string[]> _volume = Opt.Many("--volume", "HOST:GUEST[:ro]", "share a host directory", "-v");
    private readonly Option<string[]> _publish = Opt.Many("--publish", "PORT", "publish a port: GUEST[:HOST] on loopback, or ADDRESS:HOST:GUEST", "-p");
    private readonly Option<string> _timeout = Opt.Text("--timeout", "TIME", "life of the sandbox, such as 90s or 2h30m");
    private readonly Option<string> _idleTimeout = Opt.Text("--idle-timeout", "TIME", "life without activity");
    private readonly Option<string> _onTimeout = Opt.Text("--on-timeout", "WORD", "when its time is up: kill or pause");
    private readonly Option<string> _user = Opt.Text("--user", "USER", "user of processes, such as user or 1000:1000", "-u");
    private readonly Option<string> _workdir = Opt.Text("--workdir", "DIR", "directory of processes", "-w");
    private readonly Option<string[]> _label = Opt.Many("--label", "K=V", "label", "-l");
    private readonly Option<string> _hostname = Opt.Text("--hostname", "NAME", "host name; default the name");
    private readonly Option<string> _externalId = Opt.Text("--external-id", "ID", "your own id of the sandbox, unique");
    private readonly NetworkFlags _network;

    public SandboxFlags(Command command)
    {
        Option[] first = [_runtime, _template, _name, _cpus, _memory, _disk, _pids, _env, _envFile, _secret, _volume];
        Option[] last = [_publish, _timeout, _idleTimeout, _onTimeout, _user, _workdir, _label, _hostname, _externalId];
        foreach (var option in first)
        {
            command.Options.Add(option);
        }

        _network = new NetworkFlags(command);
        foreach (var option in last)
        {
            command.Options.Add(option);
        }
    }

    public string? Name(Invocation call) => call.Get(_name);

    public string? Workdir(Invocation call) => call.Get(_workdir);

    public string? User(Invocation call) => call.Get(_user);

    public CreateParams ToParams(Invocation call)
    {
        return new CreateParams
        {
            Name = call.Get(_name),
            ExternalId = call.Get(_externalId),
            Runtime = Values.OneOf(call.Get(_runtime), "--runtime", "auto", "container", "gvisor", "vm", "direct"),
            Template = call.Get(_template),
            Cpus = Values.Number(call.Get(_cpus), "--cpus"),
            MemoryBytes = Values.Size(call.Get(_memory), "--memory"),
            DiskBytes = Values.Size(call.Get(_disk), "--disk"),
            Pids = Values.Integer(call.Get(_pids), "--pids", 1, 4_194_304),
            Env = EnvironmentFlags.Read(call.Get(_env), call.Get(_envFile)),
            Secrets = SecretFlags.Read(call.Get(_secret), call.Stdio.Input),
            Shares = call.Get(_volume) is { Length: > 0 } volumes ? [.. volumes.Select(Share)] : null,
            Ports = call.Get(_publish) is { Length: > 0 } ports ? [.. ports.Select(port => PortText.Parse("--publish", port))] : null,
            Network = _network.Mode(call),
            Policy = _network.Policy(call),
            TimeoutMs = Values.Duration(call.Get(_timeout), "--timeout"),
            IdleTimeoutMs = Values.Duration(call.Get(_idleTimeout), "--idle-timeout"),
            OnTimeout = Values.OneOf(call.Get(_onTimeout), "--on-timeout", "kill", "pause"),
            User = call.Get(_user),
            Workdir = call.Get(_workdir),
            Hostname = call.Get(_hostname),
            Labels = Values.Pairs(call.Get(_label), "--label"),
        };
    }

    private static ShareSpec Share(string text)
    {
        var parts = text.Split(':');
        if (parts.Length is < 2 or > 3 || parts[0].Length == 0 || !parts[1].StartsWith('/') || (parts.Length == 3 && parts[2] is not ("ro" or "rw")))
        {
            throw Values.Bad("--volume", text, "HOST:GUEST or HOST:GUEST:ro with an absolute GUEST path");
        }

        var host = Path.GetFullPath(parts[0]);
        return Path.Exists(host)
            ? new ShareSpec { HostPath = host, GuestPath = parts[1], ReadOnly = parts.Length == 3 && parts[2] == "ro" }
            : throw new VivariumException(ErrorCode.NotFound, $"--volume: {host} does not exist", "make it first");
    }
}
