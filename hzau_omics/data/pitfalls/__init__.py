"""What is legal in a MuData and yet hardly ever meant: looked for at set-up, said as warnings."""
