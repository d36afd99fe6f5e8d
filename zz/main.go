package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/rolltrace/rolltrace/deploy/embedded"
	"github.com/rs/zerolog"
)

func main() {
	embedded.Child()
	s, err := embedded.StartClickHouse(context.Background(), embedded.ClickHouseConfig{Dir: os.Args[1], MaxMemory: 8 << 30, Log: zerolog.Nop()})
	if err != nil {
		panic(err)
	}
	fmt.Println(s.DSNOf(embedded.Owner, "rolltrace"))
	fmt.Printf("%s/?user=%s&password=%s&database=rolltrace\n", s.HTTPURL(), embedded.Owner, s.Password(embedded.Owner))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	<-ctx.Done()
	s.Stop()
}
