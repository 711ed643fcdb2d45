// The SDK for Go as a peer of the benchmarks: N objects or keys, 64 goroutines.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func number(text string) int {
	value, err := strconv.Atoi(text)
	must(err)
	return value
}

func s3Work(settings aws.Config, operation, bucket string, keys []string) []func() {
	client := s3.NewFromConfig(settings, func(o *s3.Options) { o.UsePathStyle = true })
	ctx := context.Background()
	var work []func()
	for _, key := range keys {
		name := aws.String(key + ".json")
		if operation == "s3-head" {
			work = append(work, func() {
				_, err := client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &bucket, Key: name})
				must(err)
			})
			continue
		}
		work = append(work, func() {
			answer, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: name})
			must(err)
			_, err = io.ReadAll(answer.Body)
			must(err)
			answer.Body.Close()
		})
	}
	return work
}

func dynamodbWork(settings aws.Config, table string, keys []string) []func() {
	client := dynamodb.NewFromConfig(settings)
	var work []func()
	for begin := 0; begin < len(keys); begin += 100 {
		var asked []map[string]types.AttributeValue
		for _, key := range keys[begin:min(begin+100, len(keys))] {
			asked = append(asked, map[string]types.AttributeValue{
				"Name": &types.AttributeValueMemberS{Value: key}})
		}
		work = append(work, func() {
			answer, err := client.BatchGetItem(context.Background(), &dynamodb.BatchGetItemInput{
				RequestItems: map[string]types.KeysAndAttributes{
					table: {Keys: asked, ConsistentRead: aws.Bool(true)}}})
			must(err)
			if len(answer.Responses[table]) != len(asked) {
				log.Fatal("a value is missing")
			}
		})
	}
	return work
}

func cpuSeconds() float64 {
	var usage syscall.Rusage
	must(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e9
}

func main() {
	operation, container, prefix := os.Args[1], os.Args[2], os.Args[3]
	count, inFlight, rounds := number(os.Args[4]), number(os.Args[5]), number(os.Args[6])
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = inFlight
	transport.MaxConnsPerHost = inFlight
	settings, err := config.LoadDefaultConfig(context.Background(),
		config.WithHTTPClient(&http.Client{Transport: transport}))
	must(err)
	keys := make([]string, count)
	for i := range keys {
		keys[i] = fmt.Sprintf("%s/F-unumIndex-%d-output", prefix, i)
	}
	var work []func()
	if operation == "dynamodb-batch" {
		work = dynamodbWork(settings, container, keys)
	} else {
		work = s3Work(settings, operation, container, keys)
	}
	once := func() {
		queue := make(chan func(), len(work))
		for _, item := range work {
			queue <- item
		}
		close(queue)
		var lanes sync.WaitGroup
		for lane := 0; lane < min(inFlight, len(work)); lane++ {
			lanes.Add(1)
			go func() {
				defer lanes.Done()
				for item := range queue {
					item()
				}
			}()
		}
		lanes.Wait()
	}

	once()
	cpu, wall := cpuSeconds(), time.Now()
	for round := 0; round < rounds; round++ {
		once()
	}
	requests := float64(len(work) * rounds)
	must(json.NewEncoder(os.Stdout).Encode(map[string]float64{
		"cpu_us":  (cpuSeconds() - cpu) * 1e6 / requests,
		"wall_us": time.Since(wall).Seconds() * 1e6 / requests,
	}))
}
