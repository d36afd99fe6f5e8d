package embedded

import (
	"context"
	"io/fs"
	"math"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// After a write that failed, on a full disk for one, JetStream refuses every further message for as long as the server
// lives (nats-server 2.15), space again or not. So the server is started anew: on the same port, with the clients' connections made
// again by themselves. Until there is room it goes on as it is: what is stored can be read.

const (
	faultRoom  = 32 << 20         // bytes that have to be free before a start is worth it
	faultWait  = 10 * time.Second // and how long a server is left in doubt whose disk has room
	faultEvery = 500 * time.Millisecond
)

// isFault says whether an error that the server logs is that of a write which failed.
func isFault(text string) bool {
	return strings.Contains(text, "critical write error") || strings.Contains(text, "failed to store a msg")
}

// watch starts the server anew after a write fault, until Stop.
func (n *NATS) watch() {
	defer close(n.watched)
	for {
		select {
		case <-n.stopping:
			return
		case <-n.faults:
		}
		n.cfg.Log.Error().Msg("the hub could not write: it is started anew when its disk has room; until then it takes nothing")
		for wait := faultEvery; ; wait = min(2*wait, faultWait) {
			select {
			case <-n.stopping:
				return
			case <-time.After(wait):
			}
			if room(n.cfg.Dir) < faultRoom {
				wait = faultEvery / 2
				continue
			}
			err := n.restart()
			if err == nil {
				break
			}
			n.cfg.Log.Error().Err(err).Msg("the hub does not start anew; it will be tried again")
		}
		n.cfg.Log.Warn().Msg("the hub was started anew after a write that failed")
	}
}

// restart replaces the server. When it fails no server runs.
func (n *NATS) restart() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.server.Shutdown()
	n.server.WaitForShutdown()
	select { // what the old one complained of
	case <-n.faults:
	default:
	}
	opts, err := n.cfg.options()
	if err != nil {
		return err
	}
	n.opts = opts
	n.opts.JetStreamMaxStore = n.cfg.maxStore()
	ctx, cancel := context.WithTimeout(context.Background(), natsStartTimeout)
	defer cancel()
	return n.start(ctx)
}

// maxStore is the bound on JetStream's files: of what is free, three quarters, besides what is there already.
func (cfg NATSConfig) maxStore() int64 {
	if cfg.MaxStore != 0 {
		return cfg.MaxStore
	}
	var used int64
	_ = filepath.WalkDir(cfg.Dir, func(_ string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			if info, err := entry.Info(); err == nil {
				used += info.Size()
			}
		}
		return nil // what cannot be seen is not counted
	})
	free := room(cfg.Dir)
	if free == math.MaxInt64 {
		return free / 2
	}
	return max(used+free/4*3, 1)
}

// room is how many bytes are free on the disk of the folder; where that is not known, enough.
func room(dir string) int64 {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return math.MaxInt64
	}
	return int64(s.Bavail) * int64(s.Bsize)
}
