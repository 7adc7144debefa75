using Vivarium.Supervisor;

// viv-supervisor <runtime dir>/<id>    supervises one sandbox until it has ended
//                                      with VIV_START=wait it first waits for the line "go" on its standard input; an end without it is the end
// viv-supervisor version               prints the version
switch (args)
{
    case ["version"]:
        StandardOutput.WriteLine($"viv-supervisor {SupervisorVersion.Text}");
        return 0;
    case [{ Length: > 0 } directory] when directory[0] == '/':
        return !StartSignal.Awaited || StartSignal.Wait() ? await SupervisorProgram.RunAsync(directory) : 0;
    default:
        StandardOutput.WriteLine("usage: viv-supervisor <absolute runtime directory of the sandbox> | viv-supervisor version");
        return 2;
}
