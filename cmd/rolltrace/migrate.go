package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/rolltrace/rolltrace/cmd/internal/centre"
	"github.com/rolltrace/rolltrace/cmd/internal/config"
	"github.com/rolltrace/rolltrace/schema/graph"
)

type migrateConfig struct {
	ClickHouse  config.Address  `yaml:"clickhouse" doc:"DSN of a user who may make tables: clickhouse://user:password@host:9000/rolltrace"`
	Cluster     string          `yaml:"cluster" doc:"cluster on which replicated tables are made; none makes plain ones"`
	ReplicaPath string          `yaml:"replica_path" doc:"where replicated tables keep their state; none is /clickhouse/tables/{shard}/{database}/{table}"`
	Definer     string          `yaml:"definer" doc:"user under whose rights the views read; none is the one of the DSN"`
	LockTimeout config.Duration `yaml:"lock_timeout" doc:"how long to wait while somebody else migrates"`
}

func (c *migrateConfig) Validate() error {
	if c.ClickHouse.IsZero() {
		return fmt.Errorf("clickhouse: want the DSN of the ClickHouse to migrate (--clickhouse, %sCLICKHOUSE); \"rolltrace up\" migrates its own", config.Prefix)
	}
	return nil
}

func migrateCommand() *cobra.Command {
	cfg := &migrateConfig{LockTimeout: config.Duration(time.Minute)}
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Bring a ClickHouse to the newest schema",
		Long: `Makes the database, its tables and its views, or brings those that are there to the newest schema. It can be
run at any time and any number of times; one that has nothing to do changes nothing. "rolltrace up" does it
by itself for the ClickHouse that it runs.`,
		Args: cobra.NoArgs,
	}
	loader := config.Bind(cmd.Flags(), cfg)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if done, err := loader.Load(cmd.OutOrStdout()); done || err != nil {
			return err
		}
		dsn := cfg.ClickHouse.Reveal()
		if err := graph.Migrate(cmd.Context(), graph.Options{
			DSN: dsn, Cluster: cfg.Cluster, ReplicaPath: cfg.ReplicaPath, Definer: cfg.Definer, LockTimeout: cfg.LockTimeout.Std(),
		}); err != nil {
			return centre.AtClickHouse(dsn, err)
		}
		_, err := fmt.Fprintf(cmd.OutOrStdout(), "migrated %s\n", cfg.ClickHouse)
		return err
	}
	return cmd
}
