with passages as (

    select * from {{ ref('int_funnel_passages') }}

),

segments as (

    select
        user_id,
        name
    from {{ read_segments(source('segmentation', 'user_segments')) }} as segments

),

passages_with_segment as (

    select
        passages.*,
        coalesce(segments.name, '') as segment
    from passages
    left join segments on passages.user_id = segments.user_id

),

segment_funnels as (

    select
        funnel,
        step_number,
        step,
        date,
        segment,
        {{ funnel_measures() }}
    from passages_with_segment
    group by funnel, step_number, step, date, segment

)

select * from segment_funnels
