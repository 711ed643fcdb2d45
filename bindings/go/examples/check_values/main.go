// What CheckValuesExist of 1,000 names costs from Go: see ../../../rust/bench/README.md.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"strconv"
	"time"

	unum "unum.invalid/workflows"
)

func run(ctx context.Context, kind, name string, rounds int) error {
	loop, err := unum.NewLoop(nil)
	if err != nil {
		return err
	}
	defer loop.Close()
	if _, err := loop.CreateStore(ctx, kind, name); err != nil {
		return err
	}
	store, err := loop.OpenStore(ctx, kind, name, &unum.StoreOptions{NotDurable: true})
	if err != nil {
		return err
	}
	names := make([]string, 1000)
	for i := range names {
		names[i] = fmt.Sprintf("Square-unumIndex-%d", i)
		if _, err := store.WriteReturnValue(ctx, "bench", names[i], []byte("1")); err != nil {
			return err
		}
	}
	best := time.Hour
	for i := 0; i < rounds; i++ {
		begun := time.Now()
		if exist, err := store.CheckValuesExist(ctx, "bench", names); err != nil || !exist {
			return fmt.Errorf("%v: %w", exist, err)
		}
		if took := time.Since(begun); took < best {
			best = took
		}
	}
	fmt.Printf("%.1f\n", float64(best.Nanoseconds())/1e3)
	return nil
}

func main() {
	rounds, err := strconv.Atoi(os.Args[3])
	if err != nil {
		log.Fatal(err)
	}
	if err := run(context.Background(), os.Args[1], os.Args[2], rounds); err != nil {
		log.Fatal(err)
	}
}
