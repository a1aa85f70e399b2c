// A static Go program on Debian's cilium/ebpf: a collection with global data, maps, a ring buffer, and pins where a path is given.
//
//	go_client OBJECT DEVICE_PROGRAM [PINS]
package main

import (
	"errors"
	"log"
	"os"
	"path/filepath"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/ringbuf"
	"github.com/cilium/ebpf/rlimit"
)

func check(what string, err error) {
	if err != nil {
		log.Fatalf("%s: %v", what, err)
	}
}

func expect(what string, condition bool) {
	if !condition {
		log.Fatal(what)
	}
}

// A program at a device's hook (tcx, which this version knows by its number alone) is held by a link: it is replaced, pinned and unpinned.
func links(object string, pins []string) {
	const tcxIngress, loopback = ebpf.AttachType(46), 1
	spec, err := ebpf.LoadCollectionSpec(object)
	check("open", err)
	programs := make([]*ebpf.Program, 2)
	for i := range programs {
		programs[i], err = ebpf.NewProgram(spec.Programs["drop"])
		check("load for a device", err)
		defer programs[i].Close()
	}
	held, err := link.AttachRawLink(link.RawLinkOptions{Target: loopback, Program: programs[0], Attach: tcxIngress})
	check("attach", err)
	check("update", held.Update(programs[1]))
	_, err = link.AttachRawLink(link.RawLinkOptions{Target: 7, Program: programs[0], Attach: tcxIngress})
	expect("no such device", err != nil)
	if len(pins) > 0 {
		check("pin a link", held.Pin(filepath.Join(pins[0], "go_link")))
		check("unpin a link", held.Unpin())
	}
	check("close a link", held.Close())
	again, err := link.AttachRawLink(link.RawLinkOptions{Target: loopback, Program: programs[0], Attach: tcxIngress})
	check("attach again", err)
	check("close it", again.Close())
}

func main() {
	log.SetFlags(0)
	check("memlock", rlimit.RemoveMemlock())
	spec, err := ebpf.LoadCollectionSpec(os.Args[1])
	check("open", err)
	check("constants", spec.RewriteConstants(map[string]interface{}{"step": uint32(3)}))
	collection, err := ebpf.NewCollection(spec)
	check("load", err)
	defer collection.Close()
	program, lengths := collection.Programs["count"], collection.Maps["by_length"]

	reader, err := ringbuf.NewReader(collection.Maps["records"])
	check("ring", err)
	for i := 0; i < 500; i++ {
		result, _, err := program.Test(make([]byte, 20))
		check("run", err)
		expect("the program's answer", result == 6) // a socket filter does not see the 14 bytes before
		record, err := reader.Read()
		check("record", err)
		expect("the record's size", len(record.RawSample) == 8)
	}
	check("close", reader.Close())

	var seen uint64
	check("lookup", lengths.Lookup(uint32(6), &seen))
	expect("the count", seen == 500)
	expect("a key that is not there", errors.Is(lengths.Lookup(uint32(1), &seen), ebpf.ErrKeyNotExist))
	var key uint32
	entries := lengths.Iterate()
	for count := 0; entries.Next(&key, &seen); count++ {
		expect("one key", key == 6 && count == 0)
	}
	check("iterate", entries.Err())
	info, err := program.Info()
	check("info", err)
	expect("the name", info.Name == "count")

	links(os.Args[2], os.Args[3:])
	if len(os.Args) > 3 {
		path := filepath.Join(os.Args[3], "go_map")
		check("pin", lengths.Pin(path))
		again, err := ebpf.LoadPinnedMap(path, nil)
		check("load pinned", err)
		check("lookup of pinned", again.Lookup(uint32(6), &seen))
		check("unpin", again.Unpin())
	}
}
