package found

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/rolltrace/rolltrace/producers/delimited"
	"github.com/rolltrace/rolltrace/producers/pseudonym"
	"github.com/rolltrace/rolltrace/schema/graph"
)

// Question reads a list, and makes of it what is asked of the graph. The list is to be closed when it is answered. Errors,
// beside those of Read: no records, or none with an identifier. None repeats what is in the list.
func Question(ctx context.Context, in io.Reader, config delimited.Config, column delimited.IDColumn, secret pseudonym.Secret) (graph.MatchQuestion, *List, error) {
	config.Columns = []string{column.Column}
	list, err := Read(ctx, in, config, secret.Space(column.Space))
	if err != nil {
		return graph.MatchQuestion{}, nil, err
	}
	switch list.Records {
	case 0:
		err = errors.New("there are no records in it")
	case list.Unkeyed:
		err = fmt.Errorf("none of its %d records has an identifier in column %q", list.Records, column.Column)
	}
	if err != nil {
		list.Close()
		return graph.MatchQuestion{}, nil, err
	}
	return graph.MatchQuestion{
		IDSpace: column.Space, KeyID: secret.KeyID(), Keys: list.Batches(graph.MatchBatch), Records: list.Records, Unkeyed: list.Unkeyed,
	}, list, nil
}
