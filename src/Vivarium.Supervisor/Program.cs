using Vivarium.Supervisor;

// viv-supervisor <runtime dir>/<id>    supervises one sandbox until it has ended
// viv-supervisor version               prints the version
switch (args)
{
    case ["version"]:
        StandardOutput.WriteLine($"viv-supervisor {SupervisorVersion.Text}");
        return 0;
    case [{ Length: > 0 } directory] when directory[0] == '/':
        return await SupervisorProgram.RunAsync(directory);
    default:
        StandardOutput.WriteLine("usage: viv-supervisor <absolute runtime directory of the sandbox> | viv-supervisor version");
        return 2;
}
