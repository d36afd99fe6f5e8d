package embedded

func holdNATS(args []string) error      { return nil }
func fetchOnce(args []string) error     { return nil }
func pretendServer(args []string) error { return nil }
