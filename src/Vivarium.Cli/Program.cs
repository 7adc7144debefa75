return Vivarium.Cli.App.Run(args);
