return await Vivarium.Daemon.DaemonProgram.RunAsync(args).ConfigureAwait(false);
